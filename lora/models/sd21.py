"""Stable Diffusion 2.1's shape: the settings of its parts, as on the hub, without any weights.

A single file of weights does not contain these settings. Tests and benchmarks also build networks from them.
The 768 px edition predicts velocity and computes attention scores in float32. The 512 px edition predicts noise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lora.files import write_whole
from lora.models.sd_settings import CLIP_TEXT, NOISE_SCHEDULE, tokenizer

UNET: dict[str, Any] = {
    "sample_size": 96,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],  # the number of heads, despite its name
    "use_linear_projection": True,
    "upcast_attention": True,
    "norm_num_groups": 32,
}
VAE: dict[str, Any] = {
    "sample_size": 768,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
}
TEXT_ENCODER: dict[str, Any] = {
    **CLIP_TEXT,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,  # OpenCLIP ViT-H has 24; SD 2 uses the output of the last but one
    "num_attention_heads": 16,
    "projection_dim": 512,
    "pad_token_id": 0,
}
SCHEDULER: dict[str, Any] = {
    **NOISE_SCHEDULE,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
}
PADDING = "!"  # token 0; CLIP's own tokenizer pads with the end token

V_768 = "sd-2.1"
EPSILON_512 = "sd-2.1-base"


def settings(edition: str) -> dict[str, dict[str, Any]]:
    """{part: settings} of ``sd-2.1`` or ``sd-2.1-base``."""
    if edition == V_768:
        return {"unet": UNET, "vae": VAE, "text_encoder": TEXT_ENCODER, "scheduler": SCHEDULER}
    return {
        "unet": {**UNET, "sample_size": 64, "upcast_attention": False},
        "vae": {**VAE, "sample_size": 512},
        "text_encoder": TEXT_ENCODER,
        "scheduler": {**SCHEDULER, "prediction_type": "epsilon"},
    }


def write_configs(folder: Path, parts: dict[str, dict[str, Any]]) -> None:
    """Write all files of a diffusers folder except the weights. ``parts`` is what ``settings`` gives."""
    classes = {
        "unet": ("diffusers", "UNet2DConditionModel", "config.json"),
        "vae": ("diffusers", "AutoencoderKL", "config.json"),
        "text_encoder": ("transformers", "CLIPTextModel", "config.json"),
        "scheduler": ("diffusers", "DDIMScheduler", "scheduler_config.json"),
    }
    index: dict[str, Any] = {"_class_name": "StableDiffusionPipeline", "requires_safety_checker": False}
    for part, (library, name, file) in classes.items():
        index[part] = [library, name]
        kind = {"model_type": "clip_text_model"} if part == "text_encoder" else {"_class_name": name}
        _write(folder / part / file, {**kind, **parts[part]})
    index["tokenizer"] = ["transformers", "CLIPTokenizer"]
    index["safety_checker"] = index["feature_extractor"] = [None, None]
    tokenizer(pad_token=PADDING).save_pretrained(folder / "tokenizer")
    _write(folder / "model_index.json", index)


def _write(file: Path, content: dict[str, Any]) -> None:
    write_whole(file, json.dumps(content, indent=2).encode())
