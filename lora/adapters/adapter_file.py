"""The file format of adapters: safetensors with PEFT's names, and a description in the header.

A file written here has PEFT's names under ``unet.``, as diffusers' ``load_lora_weights`` reads them. Two entries of its
metadata matter: ``lora_adapter_metadata`` holds PEFT's settings (without them diffusers takes an alpha that is the
rank), and ``stickersmith`` says what was trained, and on which base.

``read_layers`` also reads the files of other trainers (``lora.adapters.layer_names``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from safetensors.torch import load
from torch import Tensor

from lora.adapters import layer_names, peft_settings
from lora.jobs import JobError

MAX_BYTES = 512 * 2**20
MAX_STYLE_WORDS = 200  # characters
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # in the order of the format's library
_NAMES = dict(zip(FLOATS, ("F16", "BF16", "F32", "F64"), strict=True))
_TYPES: dict[Any, Any] = {"str": str, "int": int, "float": (int, float)}


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """What an adapter file says of itself."""

    keyword: str
    base: str
    base_hash: str
    rank: int
    alpha: float
    steps: int
    seed: int
    background: str  # the background its samples were shown on
    targets: str = "attention+ff"  # a key of TARGETS; older files do not name it and have these
    prediction_type: str = ""  # of its base; empty in older files, which do not have it
    resolution: int = 0  # side of the training pictures, in pixels
    style_words: str = ""  # at the end of its captions; older files have none


class LayerWeights(NamedTuple):
    """The change of one layer: ``alpha / rank * up @ down``.

    Of a linear layer down is [rank, in] and up [out, rank]; of a convolution [rank, in, k, k] and [out, rank, 1, 1].
    """

    down: Tensor
    up: Tensor
    alpha: float


Layers = dict[str, LayerWeights]  # by the layer's path in the denoiser


def to_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file of tensors of FLOATS on any one device; its bytes depend on its content alone.

    The library's ``save`` gives the same file with metadata in a random order. But it copies the tensors several times,
    which takes 0.2 s for the state of a training of SD 2.1.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    end, ordered = 0, []
    for name in sorted(tensors, key=lambda name: (-FLOATS.index(tensors[name].dtype), name)):
        tensor = tensors[name].detach()
        start, end = end, end + tensor.nbytes
        kind = _NAMES[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
        ordered.append(tensor.contiguous().view(-1).view(torch.uint8))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants tensors to begin at a multiple of 8
    parts = [part.numpy().data for part in _in_main_memory(ordered)]
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _in_main_memory(parts: list[Tensor]) -> list[Tensor]:
    """From a GPU in one transfer: each transfer waits for it, and a state has hundreds of tensors."""
    return parts if not parts or parts[0].device.type == "cpu" else [torch.cat(parts).cpu()]


def read_info(data: bytes) -> AdapterInfo | None:
    """What a file says of itself; None for a LoRA that another trainer made. Raises JobError bad-adapter."""
    entry = read_header(data).get("stickersmith")
    if entry is None:
        return None
    try:
        info = AdapterInfo(**json.loads(entry))
        (info.keyword + info.style_words).encode()  # half of a surrogate pair is no text
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise JobError("bad-adapter", "its description cannot be read") from error
    for entry_field in fields(info):
        value = getattr(info, entry_field.name)
        if not isinstance(value, _TYPES[entry_field.type]) or isinstance(value, bool):
            raise JobError("bad-adapter", f"its description says {entry_field.name} in a wrong form")
    if len(info.style_words) > MAX_STYLE_WORDS:
        raise JobError("bad-adapter", "its style words are too long")
    return info


def read_header(data: bytes) -> dict[str, str]:
    """The metadata in a safetensors header. Raises JobError bad-adapter."""
    metadata = read_json(data).get("__metadata__", {})
    if not isinstance(metadata, dict):
        raise JobError("bad-adapter", "its header cannot be read")
    return {str(key): str(value) for key, value in metadata.items()}


def read_json(data: bytes) -> dict[str, Any]:
    """A safetensors header: what is said of each tensor, by its name, and metadata. Raises JobError bad-adapter."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or len(data) > MAX_BYTES or size > len(data) - 8:
        raise JobError("bad-adapter", "no safetensors file, or a cut-off one")
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise JobError("bad-adapter", "its header cannot be read") from error
    if not isinstance(header, dict):
        raise JobError("bad-adapter", "its header cannot be read")
    return header


def read_layers(data: bytes) -> Layers:
    """All layers of a file, whoever wrote it. Raises JobError bad-adapter.

    A layer's alpha is its ``.alpha`` tensor, else what ``lora_adapter_metadata`` says. A file with neither has the rank
    as alpha, as diffusers reads it. (PEFT alone saves alpha in ``adapter_config.json``, which is not read.)
    """
    settings = peft_settings.read(read_header(data))
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_tensors(data).items():
        path, part = layer_names.parse(key)
        if part in parts.setdefault(path, {}):
            raise JobError("bad-adapter", f"it holds the layer {path} twice")
        parts[path][part] = tensor
    if not parts:
        raise JobError("bad-adapter", "nothing in it")
    return {path: _layer(path, own, settings) for path, own in parts.items()}


def settings_of(layers: Layers) -> dict[str, Any]:
    """PEFT's settings with which these layers have their ranks and alphas."""
    known = [(path, len(down), alpha) for path, (down, _, alpha) in layers.items()]
    return peft_settings.write(known, targets=sorted(layers))


def load_tensors(data: bytes) -> dict[str, Tensor]:
    """All tensors of a file by their names. Raises JobError bad-adapter."""
    try:
        return dict(load(data))
    except Exception as error:  # besides its own error, the library raises many kinds
        raise JobError("bad-adapter", "no safetensors file, or a damaged one") from error


def _layer(path: str, own: dict[str, Tensor], settings: peft_settings.PeftSettings | None) -> LayerWeights:
    """One layer from its tensors {part: tensor}, checked as far as it can be without a base."""
    down, up = own.get(layer_names.DOWN), own.get(layer_names.UP)
    if down is None or up is None:
        raise JobError("bad-adapter", f"one half of the layer {path} is missing")
    if down.dtype not in FLOATS or up.dtype not in FLOATS:
        raise JobError("bad-adapter", f"its weights are {down.dtype} and {up.dtype}, which is not read")
    if down.ndim not in (2, 4) or down.ndim != up.ndim or up.shape[1] != down.shape[0] or not down.numel():
        shapes = f"{tuple(down.shape)} and {tuple(up.shape)}"
        raise JobError("bad-adapter", f"the halves of the layer {path} do not belong together: {shapes}")
    if not all(bool(torch.isfinite(half.float()).all()) for half in (down, up)):
        raise JobError("bad-adapter", "it holds values that are no numbers")
    rank = down.shape[0]
    if layer_names.ALPHA in own:
        return LayerWeights(down, up, _alpha(path, own[layer_names.ALPHA]))
    return LayerWeights(down, up, settings.alpha_of(path, rank) if settings else float(rank))


def _alpha(path: str, tensor: Tensor) -> float:
    if tensor.numel() != 1 or tensor.is_complex() or not bool(torch.isfinite(tensor.float()).all()):
        raise JobError("bad-adapter", f"the alpha of the layer {path} is no number")
    return float(tensor)
