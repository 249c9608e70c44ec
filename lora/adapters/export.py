"""Adapters in the forms that other programs read: diffusers', and that of kohya's sd-scripts, A1111 and ComfyUI.

Only the denoiser's layers are exported, for no others are trained here. Nothing about single samples is in the
files: no captions, no file names; of a style only its keyword, as the words that call it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from lora.adapters.adapter_file import AdapterInfo, read_header, read_info, to_bytes
from lora.jobs import JobError
from lora.models import sd21

# prediction type -> sd-scripts' names for the editions of SD 2: the architecture as in library/sai_model_spec.py, and
# the base version by which other programs sort LoRAs, as get_model_version_str_for_sd1_sd2 makes it.
ARCHITECTURES = {"v_prediction": "stable-diffusion-v2-768-v/lora", "epsilon": "stable-diffusion-v2-512/lora"}
BASE_VERSIONS = {"v_prediction": "sd_v2_v", "epsilon": "sd_v2"}
PREDICTIONS = {"v_prediction": "v", "epsilon": "epsilon"}


def to_diffusers(data: bytes, title: str) -> bytes:
    """PEFT's names and the metadata from which diffusers takes an alpha that is not the rank."""
    layers = _read_layers(data)
    config = _config(data)
    tensors = {}
    for path, (down, up, _) in layers.items():
        tensors[f"unet.{path}.lora_A.weight"], tensors[f"unet.{path}.lora_B.weight"] = down, up
    config = config or {"r": _rank(layers), "lora_alpha": _rank(layers), "target_modules": sorted(layers)}
    metadata = {
        "format": "pt",
        "lora_adapter_metadata": json.dumps({f"unet.{k}": v for k, v in config.items()}),
    }
    about = read_header(data).get("stickersmith")
    return to_bytes(tensors, {**metadata, **({"stickersmith": about} if about else {})})


def to_kohya(data: bytes, title: str) -> bytes:
    """``lora_unet_LAYER.lora_down/.lora_up/.alpha``; a layer's strength is its alpha over its rank.

    Of a convolution, down has the kernel and up is 1 x 1: PEFT's shapes are sd-scripts' own.
    """
    layers = _read_layers(data)
    tensors = {}
    for path, (down, up, alpha) in layers.items():
        name = "lora_unet_" + path.replace(".", "_")
        tensors[f"{name}.lora_down.weight"] = down
        tensors[f"{name}.lora_up.weight"] = up
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return to_bytes(tensors, _kohya_metadata(layers, read_info(data), title))


FORMATS: dict[str, Callable[[bytes, str], bytes]] = {"diffusers": to_diffusers, "kohya": to_kohya}

# path in the denoiser -> down [rank, in], up [out, rank], alpha; of a convolution [rank, in, k, k], [out, rank, 1, 1]
Layers = dict[str, tuple[Tensor, Tensor, float]]


def _read_layers(data: bytes) -> Layers:
    """The layers of an adapter file. Raises JobError bad-adapter."""
    read_header(data)
    try:
        state = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise JobError("bad-adapter", "no safetensors file, or a damaged one") from error
    state = {
        k.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B."): v for k, v in state.items()
    }
    config, layers = _config(data), {}
    for key, down in state.items():
        if not key.startswith("unet.") or not key.endswith((".lora_A.weight", ".lora_B.weight")):
            raise JobError("bad-adapter", "it holds more than LoRA layers of the denoiser")
        if key.endswith(".lora_B.weight"):
            continue
        path = key.removeprefix("unet.").removesuffix(".lora_A.weight")
        up = state.get(f"unet.{path}.lora_B.weight")
        if up is None:
            raise JobError("bad-adapter", "half of a layer is missing")
        layers[path] = (down, up, float(config.get("lora_alpha", down.shape[0])))
    if not layers or len(state) != 2 * len(layers):
        raise JobError("bad-adapter", "no layers, or halves of layers")
    return layers


def _config(data: bytes) -> dict[str, Any]:
    """PEFT's settings of the denoiser's layers, or nothing: then alpha is the rank."""
    entry = read_header(data).get("lora_adapter_metadata")
    if entry is None:
        return {}
    try:
        found = {str(key).removeprefix("unet."): value for key, value in json.loads(entry).items()}
    except (ValueError, AttributeError) as error:
        raise JobError("bad-adapter", "its alpha cannot be read") from error
    if found.get("rank_pattern") or found.get("alpha_pattern"):
        raise JobError("bad-adapter", "its layers differ in alpha, which is not exported")
    return found


def _rank(layers: Layers) -> int:
    return max(int(down.shape[0]) for down, _, _ in layers.values())


def _kohya_metadata(layers: Layers, about: AdapterInfo | None, title: str) -> dict[str, str]:
    """What sd-scripts writes into its files' headers, as far as it is known and nobody's secret.

    The names of a base version and an architecture exist for SD 2 only; other bases get none.
    """
    alpha = next(iter(layers.values()))[2]
    metadata = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(_rank(layers)),
        "ss_network_alpha": str(alpha),
        "ss_output_name": title,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": title,
    }
    kernels = {path: layer for path, layer in layers.items() if layer[0].shape[2:].numel() > 1}
    if kernels:  # to sd-scripts they are an extra, with a rank and an alpha of their own
        extra = {"conv_dim": str(_rank(kernels)), "conv_alpha": str(next(iter(kernels.values()))[2])}
        metadata["ss_network_args"] = json.dumps(extra)
    if about is None:
        return metadata
    metadata |= {"ss_steps": str(about.steps), "ss_seed": str(about.seed)}
    if about.keyword:
        metadata["modelspec.trigger_phrase"] = about.keyword
    if about.resolution:
        metadata["modelspec.resolution"] = f"{about.resolution}x{about.resolution}"
    if about.prediction_type in PREDICTIONS:
        metadata["modelspec.prediction_type"] = PREDICTIONS[about.prediction_type]
        if _is_sd2(layers):
            metadata["ss_v2"] = "True"
            metadata["ss_base_model_version"] = BASE_VERSIONS[about.prediction_type]
            metadata["modelspec.architecture"] = ARCHITECTURES[about.prediction_type]
    return metadata


def _is_sd2(layers: Layers) -> bool:
    """Only SD 2's denoiser looks from levels of 320, 640 and 1280 channels at text of width 1024."""
    crossings = {
        (up.shape[0], down.shape[1]) for path, (down, up, _) in layers.items() if path.endswith("attn2.to_k")
    }
    width = sd21.UNET["cross_attention_dim"]
    return crossings == {(channels, width) for channels in sd21.UNET["block_out_channels"]}
