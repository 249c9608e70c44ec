"""Captions by a local BLIP. Pictures are prepared here: the preprocessing of transformers needs torchvision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lora.data.pictures import open_rgba

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, which BLIP was trained with
STD = (0.26862954, 0.26130258, 0.27577711)
MAX_NEW_TOKENS = 30  # a caption has about ten


class DraftError(Exception):
    """No drafts can be made; the message says why and what to do."""


class Blip:
    """BLIP (Li et al. 2022, arXiv 2201.12086) from a local folder such as a copy of ``blip-image-captioning-base``."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer, BlipForConditionalGeneration

        if not (folder / "config.json").is_file():
            raise DraftError(f"{folder}: no BLIP folder: it has no config.json")
        local: dict[str, Any] = {"local_files_only": True}
        try:
            self._model = BlipForConditionalGeneration.from_pretrained(folder, use_safetensors=True, **local)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise DraftError(f"{folder}: cannot be loaded as BLIP: {str(error).splitlines()[0]}") from error
        self._model.eval()
        self._side = pixel_size(folder, self._model.config.vision_config.image_size)

    def caption(self, picture: bytes) -> str:
        """The caption of a picture. Transparent parts become white. Raises PictureError."""
        with torch.no_grad():
            ids = self._model.generate(
                pixel_values=pixels(open_rgba(picture), self._side), max_new_tokens=MAX_NEW_TOKENS
            )
        return str(self._tokenizer.decode(ids[0], skip_special_tokens=True)).strip()


def pixel_size(folder: Path, default: int) -> int:
    """The side in pixels that the folder's preprocessor asks for."""
    try:
        size = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))["size"]
        return int(size["height"] if isinstance(size, dict) else size)
    except (OSError, ValueError, KeyError, TypeError):
        return default


def pixels(image: Image.Image, side: int) -> Tensor:
    """An RGBA picture on white as float32 [1, 3, side, side], normalised."""
    background = Image.new("RGBA", image.size, "white")
    background.alpha_composite(image)
    small = background.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    values = (np.asarray(small, dtype=np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(
        STD, np.float32
    )
    return torch.from_numpy(values).permute(2, 0, 1)[None]
