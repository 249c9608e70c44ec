"""Whether an adapter file fits a base: names and shapes in its header, then its numbers. No torch: the chat asks this.

A file's first 8 bytes are the size of its header, which is JSON (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lora.adapters import layer_names, peft_settings
from lora.adapters.layer_names import ALPHA, DOWN, UP, BadAdapter

MAX_HEADER = 8 << 20  # bytes; 800 layers need 200 KB
BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}  # of the numbers that are read
AT_ONCE = 1 << 20  # numbers that are looked at: 4 MB of float32

Shape = tuple[int, ...]
Layers = Mapping[str, Shape]  # the weight of each layer of a denoiser, by its path


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says of itself: the keyword that it was trained with, and the hash of its base; "" = not said."""

    keyword: str
    base_hash: str


def check(data: bytes, layers: Layers) -> About:
    """What a file that fits these layers says of itself. Raises BadAdapter."""
    header = _header(data)
    metadata = header.pop("__metadata__", {})
    parts: dict[str, dict[str, Shape]] = {}
    for name, tensor in header.items():
        path, part = layer_names.parse(name)
        if part in parts.setdefault(path, {}):
            raise BadAdapter("damaged", f"it holds the layer {path} twice")
        parts[path][part] = _shape(tensor, part)
    if not parts:
        raise BadAdapter("damaged", "nothing in it")
    for path, own in parts.items():
        _check_layer(path, own, layers)
    _check_numbers(data, header.values())
    if isinstance(metadata, dict):
        peft_settings.read({str(key): str(value) for key, value in metadata.items()})
    return _about(metadata)


def _header(data: bytes) -> dict[str, object]:
    """The parsed header, after its size and each tensor's place were checked against the file's size."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{" or size > min(MAX_HEADER, len(data) - 8):
        raise BadAdapter("no-safetensors", "no safetensors file, or a cut-off one")
    try:
        header = json.loads(data[8 : 8 + size])
        places = [tensor["data_offsets"] for name, tensor in header.items() if name != "__metadata__"]
        room = len(data) - 8 - size
        whole = all(0 <= begin <= end <= room for begin, end in places)
        whole = whole and sum(end - begin for begin, end in places) <= room  # else some lie in one place
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadAdapter("damaged", "its header cannot be read") from error
    if not whole:
        raise BadAdapter("damaged", "it is cut off")
    return dict(header)


def _shape(tensor: object, part: str) -> Shape:
    """The shape of a tensor whose place in the file has the size of it."""
    try:
        dtype, shape = tensor["dtype"], tuple(tensor["shape"])  # type: ignore[index]
        begin, end = tensor["data_offsets"]  # type: ignore[index]
        natural = all(type(side) is int and side > 0 for side in shape)
    except (ValueError, TypeError, KeyError) as error:
        raise BadAdapter("damaged", "its header cannot be read") from error
    if not isinstance(dtype, str):
        raise BadAdapter("damaged", "its header cannot be read")
    if dtype not in BYTES and part != ALPHA:
        raise BadAdapter("numbers", f"its weights are {dtype[:20]}, which is not read")
    if not natural or (dtype in BYTES and math.prod(shape) * BYTES[dtype] != end - begin):
        raise BadAdapter("damaged", "a tensor has another size than its shape")
    return shape


def _check_layer(path: str, own: Mapping[str, Shape], layers: Layers) -> None:
    """Whether ``up @ down`` has the shape of the base's layer. Of a convolution, down has the kernel."""
    if DOWN not in own or UP not in own:
        raise BadAdapter("damaged", f"one half of the layer {path} is missing")
    if (weight := layers.get(path)) is None:
        raise BadAdapter("other-base", f"its layers are not those of this base, which has no {path}")
    down, up = own[DOWN], own[UP]
    if len(weight) == 2 and down[2:] == up[2:] == (1, 1):
        down, up = down[:2], up[:2]  # kohya's scripts have SD 2's proj_in and proj_out as convolutions
    ones = (1,) * (len(weight) - 2)
    if down[1:] != weight[1:] or up != (weight[0], down[0], *ones):
        raise BadAdapter("other-base", f"its layers have other sizes than those of this base, such as {path}")


def _check_numbers(data: bytes, tensors: Iterable[object]) -> None:
    """Whether all numbers are finite as float32, in which they are used. Raises BadAdapter."""
    start = 8 + int.from_bytes(data[:8], "little")
    for tensor in tensors:
        dtype, (begin, end) = tensor["dtype"], tensor["data_offsets"]  # type: ignore[index]
        step = AT_ONCE * BYTES.get(dtype, 0)
        for place in range(start + begin, start + end, step) if step else ():
            if not np.isfinite(_as_float32(data[place : min(place + step, start + end)], dtype)).all():
                raise BadAdapter("not-finite", "it holds values that are no numbers, or infinite ones")


def _as_float32(numbers: bytes, dtype: str) -> NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(numbers, "<u2").astype("<u4") << 16).view("<f4")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.frombuffer(numbers, f"<f{BYTES[dtype]}").astype(np.float32)


def _about(metadata: object) -> About:
    """From this project's own entry, else from the entries of sd-scripts."""
    entries = metadata if isinstance(metadata, dict) else {}
    try:
        own = json.loads(entries.get("stickersmith") or "{}")
        return About(
            keyword=str(own.get("keyword") or entries.get("modelspec.trigger_phrase") or ""),
            base_hash=str(own.get("base_hash") or ""),
        )
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise BadAdapter("damaged", "its description cannot be read") from error
