"""The five parts of a base, loaded from a diffusers folder of the shape of Stable Diffusion 2.1.

This file decides which architectures can be loaded. One text encoder with one tokenizer, a UNet that is conditioned
on text embeddings alone, an AutoencoderKL, and a scheduler.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from lora.errors import BaseError
from lora.models import sub_pixel_decoder
from lora.models.quiet import quiet_libraries

PIPELINE = "StableDiffusionPipeline"  # the _class_name in model_index.json
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
NETWORKS = ("unet", "vae", "text_encoder")
PREDICTION_TYPES = ("epsilon", "v_prediction")


def load_parts(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """{part: object}; the networks are frozen, in eval mode and on the CPU. Raises BaseError.

    Weights are read from safetensors files only. ``dtype`` is that of denoiser and text encoder; the VAE stays in
    float32 and gets its sub-pixel convolution if there is one.
    """
    check_folder(folder)
    parts = _read(folder, dtype)
    if (folder / "vae" / sub_pixel_decoder.FILE).is_file():
        sub_pixel_decoder.attach(parts["vae"], folder / "vae" / sub_pixel_decoder.FILE)
    _check_prediction(folder, parts["scheduler"])
    for part in NETWORKS:
        parts[part].requires_grad_(False).eval()
    return parts


def check_folder(folder: Path) -> None:
    """Look at what a diffusers folder says that it is, and at which files it has. Raises BaseError."""
    kind = _index(folder).get("_class_name")
    if kind != PIPELINE:
        raise BaseError(f"{folder}: its model_index.json names {kind}; only a {PIPELINE} can be trained")
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise BaseError(f"{folder}: {', '.join(missing)} missing")
    bare = [part for part in NETWORKS if not any((folder / part).glob("*.safetensors"))]
    if bare:
        raise BaseError(f"{folder}: no weights (.safetensors) in {', '.join(bare)}")


def _index(folder: Path) -> dict[str, Any]:
    """The content of model_index.json. Raises BaseError."""
    file = folder / "model_index.json"
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BaseError(f"{file}: cannot be read: {type(error).__name__}") from error


def _read(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The parts of the pipeline. The pipeline itself is not imported: that takes seconds."""
    quiet_libraries()
    import diffusers
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    local: dict[str, Any] = {"local_files_only": True}
    weights: dict[str, Any] = {**local, "use_safetensors": True}
    try:
        scheduler = getattr(diffusers, _index(folder)["scheduler"][1])
        return {
            "unet": UNet2DConditionModel.from_pretrained(folder / "unet", **weights, dtype=dtype),
            "vae": AutoencoderKL.from_pretrained(folder / "vae", **weights),
            "text_encoder": CLIPTextModel.from_pretrained(folder / "text_encoder", **weights, dtype=dtype),
            "tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer", **local),
            "scheduler": scheduler.from_pretrained(folder / "scheduler", **local),
        }
    except Exception as error:  # what the libraries raise for a damaged folder is of many kinds
        raise BaseError(
            f"{folder}: cannot be loaded: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error


def _check_prediction(folder: Path, scheduler: Any) -> None:
    """The scheduler's config says what the denoiser predicts; only noise and velocity can be trained."""
    kind = scheduler.config.get("prediction_type")
    if kind not in PREDICTION_TYPES:
        known = " and ".join(PREDICTION_TYPES)
        raise BaseError(f"{folder}: its scheduler says prediction_type {kind}; {known} are known")
