"""Pictures as BLIP sees them, from its folder's own settings: transformers' own way needs torchvision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, which BLIP was trained with
STD = (0.26862954, 0.26130258, 0.27577711)


def pixel_size(folder: Path, default: int) -> int:
    """The side in pixels that the folder's preprocessor asks for."""
    try:
        size = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))["size"]
        return int(size["height"] if isinstance(size, dict) else size)
    except (OSError, ValueError, KeyError, TypeError):
        return default


def pixels(image: Image.Image, side: int) -> Tensor:
    """An RGBA picture on white as float32 [1, 3, side, side], normalised."""
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image)
    small = ground.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    values = (np.asarray(small, dtype=np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(
        STD, np.float32
    )
    return torch.from_numpy(values).permute(2, 0, 1)[None]
