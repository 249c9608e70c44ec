"""DINOv2 and CLIP from local folders in transformers' form, for whoever has them; nothing is downloaded.

DINOv2 (Oquab et al. 2023, arXiv 2304.07193) judges style and content by its class token, CLIP (Radford et al.
2021, arXiv 2103.00020) by its image embedding. CLIP can read too: its cosine of drawing and prompt is CLIP-T.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lora.data.captions import normalise
from lora.evaluation.scorers import Features, FlatDrawing, ScorerError, kind_of
from lora.evaluation.scorers.framing import framed

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # DINOv2's mean and deviation of RGB
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # CLIP's
DINO_SIDE = 224  # it takes any multiple of its patches; it was made to be compared at this one
BATCH = 16


class DinoEncoder:
    """Style and content alike are the class token [n, width]."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import Dinov2Model

        self._model = _load(Dinov2Model, folder, device)

    @torch.inference_mode()
    def look(self, shown: Sequence[FlatDrawing]) -> Features:
        side = DINO_SIDE // self._model.config.patch_size * self._model.config.patch_size
        seen = _in_batches(
            shown, lambda some: self._model(_pixels(some, side, IMAGENET, self._model)).pooler_output
        )
        return Features(style=seen, content=seen)


class ClipEncoder:
    """Style and content alike are the normalised image embedding [n, width]."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import CLIPModel

        self._model = _load(CLIPModel, folder, device)

    def look(self, shown: Sequence[FlatDrawing]) -> Features:
        seen = _in_batches(shown, lambda some: _clip_images(self._model, some))
        return Features(style=seen, content=seen)


class ClipPromptScorer:
    """CLIP-T: the cosine of a drawing and its prompt. The other prompts are not needed."""

    # The cosines of real pictures with right and with wrong words are near each other: a tenth less is much.
    least = 0.9

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import CLIPModel, CLIPTokenizer

        if kind_of(folder) != "clip":
            raise ScorerError(f"{folder}: no CLIP, so it cannot read prompts")
        self._model = _load(CLIPModel, folder, device)
        self._tokenizer = _from_folder(CLIPTokenizer, folder)

    @torch.inference_mode()
    def read(self, shown: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        ids = self._tokenizer(normalise(prompts[0]), truncation=True, max_length=77, return_tensors="pt")
        text = self._model.text_projection(
            self._model.text_model(**ids.to(self._model.device)).pooler_output
        )[0]
        picture = _clip_images(self._model, [shown])[0]
        return float(torch.nn.functional.cosine_similarity(text, picture, dim=0))


@torch.inference_mode()
def _clip_images(model: Any, shown: Sequence[FlatDrawing]) -> Tensor:
    pixels = _pixels(shown, model.config.vision_config.image_size, OPENAI, model)
    embedded = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    return torch.nn.functional.normalize(embedded, dim=1)


def _load(kind: Any, folder: Path, device: str) -> Any:
    return _from_folder(kind, folder, use_safetensors=True).eval().requires_grad_(False).to(device)


def _from_folder(kind: Any, folder: Path, **how: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, **how)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ScorerError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from error


def _pixels(shown: Sequence[FlatDrawing], side: int, colours: Any, model: Any) -> Tensor:
    """Framed pictures as [n, 3, side, side], normalised by the network's own mean and deviation."""
    stacked = np.stack([np.asarray(framed(one, side), dtype=np.float32) for one in shown]) / 255
    mean, deviation = (np.array(values, dtype=np.float32) for values in colours)
    return torch.from_numpy((stacked - mean) / deviation).permute(0, 3, 1, 2).to(model.device)


def _in_batches(shown: Sequence[FlatDrawing], see: Any) -> Any:
    parts = [see(shown[start : start + BATCH]).float().cpu() for start in range(0, len(shown), BATCH)]
    return torch.cat(parts).numpy()
