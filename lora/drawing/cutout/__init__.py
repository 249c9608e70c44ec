"""Cuts a drawing out of its background: RGB in, straight-alpha RGBA out.

Where the border has one flat colour, ``flat`` computes alpha from it; elsewhere a network's alpha is used. What runs
such a network is a ``Remover``: one file here and one line in ``REMOVERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.drawing.cutout import flat
from lora.drawing.cutout_names import BUNDLED
from lora.jobs import JobError

Floats = NDArray[np.floating[Any]]
LEAST_AREA = 0.004  # share of the picture; a smaller cut-out counts as empty


class Remover(Protocol):
    """Tells the drawing from the background."""

    def alpha(self, image: Image.Image, part: flat.Box | None = None) -> Floats:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing; with a ``part``, it need be right only there."""


def _bundled(cache_dir: Path, model: str) -> Remover:
    from lora.drawing.cutout.bundled import BundledRemover

    return BundledRemover()


def _rembg(cache_dir: Path, model: str) -> Remover:
    from lora.drawing.cutout.rembg import RembgRemover

    return RembgRemover(cache_dir, model)


# Name -> loader, which is called with the folder for caches and with the name.
REMOVERS: dict[str, Callable[[Path, str], Remover]] = {BUNDLED: _bundled}


def remover(cache_dir: Path, model: str = BUNDLED) -> Remover:
    """The remover of this name; a name not in REMOVERS is one of rembg's models or an ONNX file. Raises ValueError."""
    return REMOVERS.get(model, _rembg)(cache_dir, model)


def cut_out(
    image: Image.Image,
    network: Remover,
    background_colour: tuple[int, int, int] | None = None,
    *,
    by_colour: bool = True,
) -> Image.Image:
    """Remove the background. ``background_colour`` is the colour that was asked for, if there was one.

    Without ``by_colour`` the network's alpha is used on a flat background, too.

    Raises JobError("empty-cutout") when nothing is left.
    """
    image = image.convert("RGB")
    rgb = np.asarray(image)
    background = flat.background_colour(rgb, background_colour) if by_colour else None
    if background is None:
        seen = flat.settled(network.alpha(image))
        alpha, colour = (seen * 255).round().astype(np.uint8), flat.unmixed(rgb, seen)
    else:
        alpha, colour = flat.key(rgb, background, lambda part: network.alpha(image, part)[part])
    if (alpha > 127).mean() < LEAST_AREA:
        raise JobError("empty-cutout")
    shown = cv2.copyTo(cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA), alpha)  # black where nothing is visible
    cv2.insertChannel(alpha, shown, 3)
    return Image.fromarray(shown, "RGBA")
