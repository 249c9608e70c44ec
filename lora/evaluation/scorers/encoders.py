"""DINOv2 and CLIP from local folders in transformers' format; nothing is downloaded.

DINOv2 (Oquab et al. 2023, arXiv 2304.07193): style and content are its class token. CLIP (Radford et al. 2021, arXiv
2103.00020): they are its image embedding. CLIP is also a prompt scorer: CLIP-T is the cosine between the embeddings
of drawing and prompt.
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

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # DINOv2's mean and standard deviation of RGB
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # CLIP's
DINO_SIDE = 224  # px; it takes any multiple of its patch size, published results are at this one
BATCH = 16


class DinoEncoder:
    """Style and content are both the class token [n, width]."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import Dinov2Model

        self._model = _load(Dinov2Model, folder, device)

    @torch.inference_mode()
    def features(self, drawings: Sequence[FlatDrawing]) -> Features:
        side = DINO_SIDE // self._model.config.patch_size * self._model.config.patch_size
        tokens = _in_batches(
            drawings, lambda some: self._model(_pixels(some, side, IMAGENET, self._model)).pooler_output
        )
        return Features(style=tokens, content=tokens)


class ClipEncoder:
    """Style and content are both the normalised image embedding [n, width]."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import CLIPModel

        self._model = _load(CLIPModel, folder, device)

    def features(self, drawings: Sequence[FlatDrawing]) -> Features:
        embeddings = _in_batches(drawings, lambda some: _clip_images(self._model, some))
        return Features(style=embeddings, content=embeddings)


class ClipPromptScorer:
    """CLIP-T: the cosine of a drawing and its prompt. The other prompts are not needed."""

    # The cosines of pictures with right and with wrong prompts are close: a tenth less is a large difference.
    min_share = 0.9

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import CLIPModel, CLIPTokenizer

        if kind_of(folder) != "clip":
            raise ScorerError(f"{folder}: no CLIP, so it cannot read prompts")
        self._model = _load(CLIPModel, folder, device)
        self._tokenizer = _from_folder(CLIPTokenizer, folder)

    @torch.inference_mode()
    def score(self, drawing: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        """``text . image / (|text| |image|)``, from -1 to 1."""
        ids = self._tokenizer(normalise(prompts[0]), truncation=True, max_length=77, return_tensors="pt")
        text = self._model.text_projection(
            self._model.text_model(**ids.to(self._model.device)).pooler_output
        )[0]
        image = _clip_images(self._model, [drawing])[0]
        return float(torch.nn.functional.cosine_similarity(text, image, dim=0))


@torch.inference_mode()
def _clip_images(model: Any, drawings: Sequence[FlatDrawing]) -> Tensor:
    """CLIP's image embeddings [n, width], of length 1."""
    pixels = _pixels(drawings, model.config.vision_config.image_size, OPENAI, model)
    embedded = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    return torch.nn.functional.normalize(embedded, dim=1)


def _load(kind: Any, folder: Path, device: str) -> Any:
    return _from_folder(kind, folder, use_safetensors=True).eval().requires_grad_(False).to(device)


def _from_folder(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ScorerError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from error


def _pixels(drawings: Sequence[FlatDrawing], side: int, statistics: Any, model: Any) -> Tensor:
    """Framed drawings as [n, 3, side, side]: ``(rgb - mean) / std``, with the network's ``statistics`` (mean, std)."""
    images = [np.asarray(framed(drawing, side), dtype=np.float32) for drawing in drawings]
    mean, std = (np.array(values, dtype=np.float32) for values in statistics)
    return torch.from_numpy((np.stack(images) / 255 - mean) / std).permute(0, 3, 1, 2).to(model.device)


def _in_batches(drawings: Sequence[FlatDrawing], encode: Any) -> Any:
    parts = [
        encode(drawings[start : start + BATCH]).float().cpu() for start in range(0, len(drawings), BATCH)
    ]
    return torch.cat(parts).numpy()
