"""The networks that score drawings. An image encoder is one file here and one line in IMAGE_ENCODERS."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]


class ScorerError(Exception):
    """A network for scores cannot be loaded; the message names the folder and what to do."""


@dataclass(frozen=True, kw_only=True)
class FlatDrawing:
    """A drawing in RGB, and the flat colour behind it."""

    image: Image.Image
    background_colour: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of n drawings. Only features from the same encoder can be compared."""

    style: Floats  # [n, d]: how it is drawn
    content: Floats  # [n, e]: what is drawn


class ImageEncoder(Protocol):
    """An image network. It crops, scales and normalises the drawings itself."""

    def features(self, drawings: Sequence[FlatDrawing]) -> Features:
        """The features of these drawings, in their order."""


class PromptScorer(Protocol):
    """Measures how well a drawing follows its prompt.

    ``min_share``: a checkpoint passes if its mean score is at least this share of the bare base's mean score for the
    same prompts. Each scorer has its own, because their scores have different scales.
    """

    min_share: float

    def score(self, drawing: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        """How well ``drawing`` follows ``prompts[0]``, compared with the other prompts; more is better.

        The prompts are without keyword; ``background`` is the name of the drawing's background.
        """


def _bundled(folder: Path | None, device: str) -> ImageEncoder:
    from lora.evaluation.scorers.efficientnet import EfficientNetEncoder

    return EfficientNetEncoder()


def _dinov2(folder: Path | None, device: str) -> ImageEncoder:
    from lora.evaluation.scorers.encoders import DinoEncoder

    assert folder is not None
    return DinoEncoder(folder, device)


def _clip(folder: Path | None, device: str) -> ImageEncoder:
    from lora.evaluation.scorers.encoders import ClipEncoder

    assert folder is not None
    return ClipEncoder(folder, device)


IMAGE_ENCODERS: dict[str, Callable[[Path | None, str], ImageEncoder]] = {
    "efficientnet": _bundled,
    "dinov2": _dinov2,
    "clip": _clip,
}


def image_encoder(folder: Path | None = None, device: str = "cpu") -> ImageEncoder:
    """The bundled image network, or the DINOv2 or CLIP in a local ``folder`` of transformers' format.

    Raises ScorerError.
    """
    return IMAGE_ENCODERS["efficientnet" if folder is None else kind_of(folder)](folder, device)


def kind_of(folder: Path) -> str:
    """The key in IMAGE_ENCODERS of the network in a folder, from its config.json. Raises ScorerError."""
    config = folder / "config.json"
    if not config.is_file():
        raise ScorerError(f"{config}: missing; give a local folder of a DINOv2 or CLIP in transformers' form")
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ScorerError(f"{config}: no JSON object: download the model again") from error
    if kind not in IMAGE_ENCODERS or kind == "efficientnet":
        raise ScorerError(f"{config}: a model of type {kind!r}; only dinov2 and clip can judge drawings")
    return str(kind)
