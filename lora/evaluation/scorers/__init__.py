"""What looks at drawings in order to judge them. An eye is one file here and one line in EYES."""

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
    """A network that should judge drawings cannot be loaded; the message names the folder and what to do."""


@dataclass(frozen=True, kw_only=True)
class FlatDrawing:
    """A drawing, RGB, and the flat colour that it stands on."""

    image: Image.Image
    background_colour: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Features:
    """What an eye saw of n pictures. Only pictures that were shown to the same eye can be compared."""

    style: Floats  # [n, d]: how it is drawn
    content: Floats  # [n, e]: what is drawn


class ImageEncoder(Protocol):
    """An image network. It frames what it is shown by itself."""

    def look(self, shown: Sequence[FlatDrawing]) -> Features:
        """The looks of these pictures, in their order."""


class PromptScorer(Protocol):
    """Tells how well a drawing fits the words that were asked for.

    ``least`` is the share of the bare base's mean score that a checkpoint must reach with the same prompts: what
    a share of a score means is each reader's own.
    """

    least: float

    def read(self, shown: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        """How well ``prompts[0]`` fits, compared with the others; more is better.

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
    """The bundled image network, or the DINOv2 or CLIP in a local ``folder`` of transformers' form.

    Raises ScorerError.
    """
    return IMAGE_ENCODERS["efficientnet" if folder is None else kind_of(folder)](folder, device)


def kind_of(folder: Path) -> str:
    """Which of EYES the network in a folder is, as its config.json says. Raises ScorerError."""
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
