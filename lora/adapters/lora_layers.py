"""LoRA layers on a base's denoiser: new ones to train, saved ones to draw with, and their file format.

A file holds PEFT's names under ``unet.``, as diffusers' ``load_lora_weights`` reads them. Two entries of its
metadata matter: ``lora_adapter_metadata`` is what diffusers needs to load an alpha that is not the rank
(without it the scale would silently be 1), and ``stickersmith`` says what was trained, and on which base.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from lora.adapters.adapter_file import AdapterInfo, read_header, read_info, to_bytes
from lora.adapters.targets import TARGETS as TARGETS
from lora.jobs import JobError
from lora.models.base_model import Base

LOADED_AT_ONCE = 8  # each loaded adapter costs memory, and a moment to put on


def add(
    base: Base, name: str, *, rank: int, alpha: float, seed: int, targets: str = "attention+ff"
) -> list[nn.Parameter]:
    """Put new float32 LoRA layers on the denoiser and return their weights, the same ones for a seed."""
    from peft import LoraConfig

    layers = list(TARGETS[targets])
    config = LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with _several_at_once():
            base.unet.add_adapter(config, adapter_name=name)
    base.active = None
    weights = weights_of(base, name)
    for weight in weights.values():
        weight.data = weight.data.float()
    return list(weights.values())


def weights_of(base: Base, name: str) -> dict[str, nn.Parameter]:
    """The LoRA weights of one adapter by their name in a file, always in the same order."""
    found = {}
    for path, module in _layers(base):
        for letter in ("A", "B"):
            layers = getattr(module, f"lora_{letter}")
            if name in layers:
                found[f"unet.{path}.lora_{letter}.weight"] = layers[name].weight
    return found


def remove(base: Base, name: str) -> None:
    """Take an adapter off the denoiser, if it is on it."""
    if name in getattr(base.unet, "peft_config", {}):
        with _several_at_once():
            base.unet.delete_adapters(name)
        base.active = None


def activate(base: Base, name: str | None, *, train: bool = False) -> None:
    """Let the denoiser use this adapter alone, or none. Only with ``train`` do its weights get gradients."""
    wanted = f"{name or 'nothing'} {'trained' if train else 'used'}"
    if base.active == wanted:
        return
    for _, module in _layers(base):
        module.enable_adapters(name is not None)
        if name is not None:
            module.set_adapter(name, inference_mode=not train)
    base.active = wanted


def save_adapter(base: Base, name: str, about: AdapterInfo) -> bytes:
    """An adapter's weights and what it says of itself, as safetensors."""
    state = {key: weight.detach().cpu().contiguous() for key, weight in weights_of(base, name).items()}
    layers = list(TARGETS[about.targets])
    config = {"r": about.rank, "lora_alpha": about.alpha, "target_modules": layers, "bias": "none"}
    metadata = {
        "format": "pt",
        "lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in config.items()}),
        "stickersmith": json.dumps(asdict(about)),
    }
    return to_bytes(state, metadata)


def read_weights(base: Base, data: bytes) -> dict[str, Tensor]:
    """An adapter's tensors, checked against the base's layers. Raises JobError other-base or bad-adapter."""
    about = read_info(data)
    if about is not None and about.base_hash != base.hash:
        raise JobError("other-base", f"trained on {about.base}, drawn with {base.name}")
    try:
        state = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise JobError("bad-adapter", "no safetensors file, or a damaged one") from error
    state = {_peft_name(key): value for key, value in state.items()}
    _check_shapes(base, state)
    return state


def _peft_name(key: str) -> str:
    """The reference script's last file says down and up where PEFT says A and B."""
    return key.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.")


def _check_shapes(base: Base, state: dict[str, Tensor]) -> None:
    """Every tensor belongs to a layer of this base, fits it, has its other half, and is finite."""
    if not state:
        raise JobError("bad-adapter", "nothing in it")
    for key, value in state.items():
        if not key.startswith("unet.") or not key.endswith((".lora_A.weight", ".lora_B.weight")):
            raise JobError("bad-adapter", "it holds more than LoRA layers of the denoiser")
        layer = _layer(base, key.removeprefix("unet.").rsplit(".", 2)[0])
        half = state.get(
            key.replace(".lora_A.", ".lora_B.") if ".lora_A." in key else key.replace("_B.", "_A.")
        )
        if layer is None or half is None or value.ndim != layer.weight.ndim or half.ndim != value.ndim:
            raise JobError("bad-adapter", "its layers are not those of this base")
        down, up = (value, half) if ".lora_A." in key else (half, value)
        if not _fit(layer, tuple(down.shape), tuple(up.shape)):
            raise JobError("bad-adapter", "its layers have other sizes than those of this base")
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise JobError("bad-adapter", "it holds values that are no numbers")


def _layer(base: Base, path: str) -> nn.Linear | nn.Conv2d | None:
    """The plain layer of the denoiser at a path, with or without LoRA layers round it."""
    try:
        module = base.unet.get_submodule(path)
    except AttributeError:
        return None
    module = getattr(module, "base_layer", module)
    return module if isinstance(module, nn.Linear | nn.Conv2d) else None


def _fit(layer: nn.Linear | nn.Conv2d, down: tuple[int, ...], up: tuple[int, ...]) -> bool:
    """Whether two halves belong to a layer: A has the layer's inputs (and kernel), B its outputs."""
    inputs, outputs = tuple(layer.weight.shape[1:]), layer.weight.shape[0]
    return down[1:] == inputs and up == (outputs, down[0], *(1 for _ in inputs[1:]))


def use_file(base: Base, data: bytes | None) -> AdapterInfo | None:
    """Let the denoiser use this file alone (None: no adapter), and tell what it says of itself.

    A few files stay loaded, by their content; the one that was not used for longest leaves for a new one.
    Raises JobError other-base or bad-adapter.
    """
    if data is None:
        activate(base, None)
        return None
    name = f"file-{hashlib.sha256(data).hexdigest()[:24]}"
    if name not in base.loaded:
        _load(base, name, data)
        base.loaded.append(name)
    base.loaded.append(base.loaded.pop(base.loaded.index(name)))
    activate(base, name)
    return read_info(data)


def set_strength(base: Base, strength: float) -> None:
    """Let the adapter that the denoiser uses now change it so many times as much as its file says."""
    for _, module in _layers(base):
        for name in module.active_adapters:
            module.set_scale(name, strength)


def _load(base: Base, name: str, data: bytes) -> None:
    """Add the layers of a file. diffusers may keep the tensors it is given, so it gets copies of its own."""
    state = read_weights(base, data)
    config = read_header(data).get("lora_adapter_metadata")
    while len(base.loaded) >= LOADED_AT_ONCE:
        remove(base, base.loaded.pop(0))
    try:
        with _several_at_once():
            base.unet.load_lora_adapter(
                {key: value.to(base.device, base.dtype, copy=True) for key, value in state.items()},
                prefix="unet",
                adapter_name=name,
                metadata=json.loads(config) if config else None,
                low_cpu_mem_usage=True,
            )
    except (ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        remove(base, name)
        raise JobError("bad-adapter", type(error).__name__) from error
    finally:
        base.active = None


@contextmanager
def _several_at_once() -> Iterator[None]:
    """PEFT warns of a second adapter, and of another one moving up; here each use says which one it wants."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
        yield


def _layers(base: Base) -> list[tuple[str, Any]]:
    """The layers of the denoiser that carry LoRA weights, with their paths."""
    from peft.tuners.lora import LoraLayer

    return [(path, module) for path, module in base.unet.named_modules() if isinstance(module, LoraLayer)]
