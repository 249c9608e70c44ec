"""Adapters in the forms that other programs read: diffusers', and that of kohya's sd-scripts, A1111 and ComfyUI.

Only layers of the denoiser are exported; no others are trained here. The files hold nothing about single samples: no
captions, no file names. Of a style they hold only its keyword and its style words.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import torch

from lora.adapters import peft_settings
from lora.adapters.adapter_file import (
    AdapterInfo,
    Layers,
    LayerWeights,
    load_tensors,
    read_header,
    read_info,
    read_layers,
    settings_of,
    to_bytes,
)
from lora.adapters.layer_names import kohya_name
from lora.jobs import JobError
from lora.models import sd21

# prediction type -> sd-scripts' names for the editions of SD 2: the architecture as in library/sai_model_spec.py, and
# the base version by which other programs sort LoRAs, as get_model_version_str_for_sd1_sd2 makes it.
ARCHITECTURES = {"v_prediction": "stable-diffusion-v2-768-v/lora", "epsilon": "stable-diffusion-v2-512/lora"}
BASE_VERSIONS = {"v_prediction": "sd_v2_v", "epsilon": "sd_v2"}
PREDICTIONS = {"v_prediction": "v", "epsilon": "epsilon"}


def to_diffusers(data: bytes, title: str) -> bytes:
    """PEFT's names and settings. diffusers takes ranks and alphas, also mixed ones, from the settings."""
    layers = read_layers(data)
    if _is_sd2(layers):
        layers = {path: _linear(path, weights) for path, weights in layers.items()}
    tensors = {}
    for path, (down, up, _) in layers.items():
        tensors[f"unet.{path}.lora_A.weight"], tensors[f"unet.{path}.lora_B.weight"] = down, up
    return to_bytes(tensors, {"format": "pt", **peft_settings.to_entry(settings_of(layers)), **_own(data)})


def to_kohya(data: bytes, title: str) -> bytes:
    """``lora_unet_LAYER.lora_down/.lora_up/.alpha``; the scale of a layer is its alpha over its rank.

    Of a convolution, down has the kernel and up is 1 x 1: PEFT's shapes are those of sd-scripts. If alphas differ,
    diffusers 0.42 reads those of attention layers in this form wrongly; ``to_diffusers`` is for it.
    """
    layers = read_layers(data)
    tensors = {}
    for path, (down, up, alpha) in layers.items():
        name = kohya_name(path)
        tensors[f"{name}.lora_down.weight"] = down
        tensors[f"{name}.lora_up.weight"] = up
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return to_bytes(tensors, {**_kohya_metadata(layers, read_info(data), title), **_own(data)})


def in_half(data: bytes) -> bytes:
    """The same adapter with its weights in float16: half the size; its drawings look the same.

    Raises JobError bad-adapter if a weight is too large for float16.
    """
    tensors = {name: tensor.half() for name, tensor in load_tensors(data).items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise JobError("bad-adapter", "a weight is too large for float16")
    return to_bytes(tensors, read_header(data))


FORMATS: dict[str, Callable[[bytes, str], bytes]] = {"diffusers": to_diffusers, "kohya": to_kohya}


def _own(data: bytes) -> dict[str, str]:
    """What the file says of itself, for whoever draws with the exported file here. Other programs ignore it."""
    about = read_header(data).get("stickersmith")
    return {"stickersmith": about} if about else {}


def _linear(path: str, weights: LayerWeights) -> LayerWeights:
    """SD 2's proj_in and proj_out are linear in diffusers; kohya's scripts have them as 1 x 1 convolutions."""
    if not path.endswith((".proj_in", ".proj_out")):
        return weights
    return weights._replace(down=weights.down.flatten(1), up=weights.up.flatten(1))


def _rank(layers: Layers) -> int:
    return max(int(down.shape[0]) for down, _, _ in layers.values())


def _kohya_metadata(layers: Layers, about: AdapterInfo | None, title: str) -> dict[str, str]:
    """What sd-scripts writes into its files' headers, as far as it is known here and not private.

    The names of a base version and an architecture exist for SD 2 only; other bases get none.
    """
    alpha = next(iter(layers.values()))[2]
    title = title.encode(errors="replace").decode()  # a file's name may hold what no header may
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
    if kernels:  # sd-scripts keep their rank and alpha apart
        extra = {"conv_dim": str(_rank(kernels)), "conv_alpha": str(next(iter(kernels.values()))[2])}
        metadata["ss_network_args"] = json.dumps(extra)
    if about is None:
        return metadata
    metadata |= {"ss_steps": str(about.steps), "ss_seed": str(about.seed)}
    if about.keyword:
        metadata["modelspec.trigger_phrase"] = about.keyword
    if about.style_words:
        metadata["modelspec.usage_hint"] = f"Prompts end with: {about.style_words}"
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
    """Only SD 2's denoiser has cross-attention of 320, 640 and 1280 channels to text of width 1024."""
    crossings = {
        (up.shape[0], down.shape[1]) for path, (down, up, _) in layers.items() if path.endswith("attn2.to_k")
    }
    width = sd21.UNET["cross_attention_dim"]
    return crossings == {(channels, width) for channels in sd21.UNET["block_out_channels"]}
