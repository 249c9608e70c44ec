"""LoRA layers on a base's denoiser: new ones to train, and those of files to draw with.

This file alone changes them. What it knows of a denoiser's layers is a ``LoadedAdapters``, one for each denoiser.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from lora.adapters import peft_settings
from lora.adapters.adapter_file import (
    AdapterInfo,
    Layers,
    LayerWeights,
    read_info,
    read_layers,
    settings_of,
    to_bytes,
)
from lora.adapters.targets import DEFAULT_TARGETS
from lora.adapters.targets import TARGETS as TARGETS
from lora.jobs import JobError
from lora.models.base_model import Base

LOADED_AT_ONCE = 8  # files; each takes memory, and half a second to load with SD 2.1


@dataclass
class LoadedAdapters:
    """What is on one denoiser.

    It belongs to the denoiser and not to a ``Base``, because two bases may share one (``dataclasses.replace``).
    Whoever adds or removes layers sets ``active`` to None, so that the next ``activate`` sets every layer again.
    """

    files: list[str] = field(default_factory=list)  # names of the loaded files, the last used one last
    active: str | None = None  # what the last ``activate`` did; None: unknown


_LOADED: WeakKeyDictionary[nn.Module, LoadedAdapters] = WeakKeyDictionary()


def loaded_adapters(base: Base) -> LoadedAdapters:
    """What is on the denoiser of a base."""
    return _LOADED.setdefault(base.unet, LoadedAdapters())


def add(
    base: Base, name: str, *, rank: int, alpha: float, seed: int, targets: str = DEFAULT_TARGETS
) -> list[nn.Parameter]:
    """Put new float32 LoRA layers on the denoiser and return their weights. A seed always gives the same weights."""
    from peft import LoraConfig

    layers = list(TARGETS[targets])
    config = LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with _several_at_once():
            base.unet.add_adapter(config, adapter_name=name)
    _make_lean(base)
    loaded_adapters(base).active = None
    weights = weights_of(base, name)
    for weight in weights.values():
        weight.data = weight.data.float()
    return list(weights.values())


def weights_of(base: Base, name: str) -> dict[str, nn.Parameter]:
    """The LoRA weights of one adapter by their names in a file, always in the same order."""
    found = {}
    for path, module in _layers(base):
        for letter in ("A", "B"):
            layers = getattr(module, f"lora_{letter}")
            if name in layers:
                found[f"unet.{path}.lora_{letter}.weight"] = layers[name].weight
    return found


def remove(base: Base, name: str) -> None:
    """Take an adapter off the denoiser, if it is on it."""
    with _several_at_once():
        for _, module in _layers(base):
            if name in module.r:
                module.delete_adapter(name)
    getattr(base.unet, "peft_config", {}).pop(name, None)
    loaded_adapters(base).active = None


def activate(base: Base, name: str | None, *, train: bool = False) -> None:
    """Let the denoiser use this adapter alone, or none. Its weights get gradients only with ``train``."""
    loaded = loaded_adapters(base)
    wanted = f"{name or 'nothing'} {'trained' if train else 'used'}"
    if loaded.active == wanted:
        return
    for _, module in _layers(base):
        module.enable_adapters(name is not None)
        if name is not None:
            module.set_adapter(name, inference_mode=not train)
    loaded.active = wanted


def save_adapter(base: Base, name: str, about: AdapterInfo) -> bytes:
    """An adapter's weights and what it says of itself, as safetensors."""
    layers = list(TARGETS[about.targets])
    config = {"r": about.rank, "lora_alpha": about.alpha, "target_modules": layers, "bias": "none"}
    entries = {"format": "pt", **peft_settings.to_entry(config), "stickersmith": json.dumps(asdict(about))}
    return to_bytes(dict(weights_of(base, name)), entries)


def use_file(base: Base, data: bytes | None) -> AdapterInfo | None:
    """Let the denoiser use this file alone (None: no adapter), and return what it says of itself.

    The last LOADED_AT_ONCE files stay loaded; they are recognised by their content. The one that was not used for the
    longest time makes room for a new one. Raises JobError other-base or bad-adapter; nothing of the file is then on the
    denoiser.
    """
    if data is None:
        activate(base, None)
        return None
    info = read_info(data)
    name = f"file-{hashlib.sha256(data).hexdigest()[:24]}"
    files = loaded_adapters(base).files
    if name not in files:
        layers = fitted(base, data)
        while len(files) >= LOADED_AT_ONCE:
            remove(base, files.pop(0))
        _put_on(base, name, layers)
        files.append(name)
    files.append(files.pop(files.index(name)))
    activate(base, name)
    return info


def set_strength(base: Base, strength: float) -> None:
    """Multiply the scale of the adapter that is in use: with 1 it changes the denoiser as much as its file says."""
    for _, module in _layers(base):
        for name in module.active_adapters:
            module.set_scale(name, strength)


def fitted(base: Base, data: bytes) -> Layers:
    """A file's layers, checked against this base. Raises JobError other-base or bad-adapter."""
    info = read_info(data)
    if info is not None and info.base_hash != base.hash:
        raise JobError("other-base", f"trained on {info.base}, drawn with {base.name}")
    return {path: _fitted(base, path, weights) for path, weights in read_layers(data).items()}


def _fitted(base: Base, path: str, weights: LayerWeights) -> LayerWeights:
    """One layer's weights in the shapes that PEFT wants for this base."""
    layer, (down, up, alpha) = _layer(base, path), weights
    if layer is None:
        raise JobError("bad-adapter", f"its layers are not those of this base, which has no {path}")
    if isinstance(layer, nn.Linear) and down.shape[2:] == up.shape[2:] == (1, 1):
        down, up = (
            down.flatten(1),
            up.flatten(1),
        )  # kohya's scripts have SD 2's proj_in and proj_out as convolutions
    inputs, outputs = tuple(layer.weight.shape[1:]), layer.weight.shape[0]
    if tuple(down.shape[1:]) != inputs or tuple(up.shape) != (outputs, len(down), *(1 for _ in inputs[1:])):
        raise JobError("bad-adapter", f"its layers have other sizes than those of this base, such as {path}")
    return LayerWeights(down, up, alpha)


def shapes(base: Base) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """(path, shape of the weight) of each layer that an adapter can change; without LoRA layers on it."""
    layers = (
        (path, module)
        for path, module in base.unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    )
    return tuple((path, tuple(module.weight.shape)) for path, module in layers)


def _layer(base: Base, path: str) -> nn.Linear | nn.Conv2d | None:
    """The plain layer of the denoiser at a path, with or without LoRA layers around it."""
    try:
        module = base.unet.get_submodule(path)
    except AttributeError:
        return None
    module = getattr(module, "base_layer", module)
    return module if isinstance(module, nn.Linear | nn.Conv2d) else None


def _put_on(base: Base, name: str, layers: Layers) -> None:
    """Load checked layers under a name. diffusers may keep the tensors that it is given, so it gets copies."""
    tensors = {}
    for path, (down, up, _) in layers.items():
        tensors[f"{path}.lora_A.weight"] = down.to(base.device, base.dtype, copy=True)
        tensors[f"{path}.lora_B.weight"] = up.to(base.device, base.dtype, copy=True)
    try:
        with _several_at_once():
            base.unet.load_lora_adapter(
                tensors, prefix=None, adapter_name=name, metadata=settings_of(layers), low_cpu_mem_usage=True
            )
        _make_lean(base)
    except Exception as error:  # PEFT's injection raises many kinds
        remove(base, name)
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise JobError("bad-adapter", f"PEFT cannot load it: {reason}") from error
    finally:
        loaded_adapters(base).active = None


def _make_lean(base: Base) -> None:
    from lora.adapters import lean_lora  # which imports PEFT

    lean_lora.make_lean(base.unet)


@contextmanager
def _several_at_once() -> Iterator[None]:
    """Silence PEFT's warnings about a second adapter: here every use says which adapter it wants."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute")
        warnings.filterwarnings("ignore", message="Adapter .* was active which is now deleted")
        yield


def _layers(base: Base) -> list[tuple[str, Any]]:
    """The layers of the denoiser that PEFT has wrapped, with their paths."""
    from peft.tuners.lora import LoraLayer

    return [(path, module) for path, module in base.unet.named_modules() if isinstance(module, LoraLayer)]
