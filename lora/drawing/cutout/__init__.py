"""A drawing without its background: RGB in, straight-alpha RGBA out.

Where the border is one flat colour, ``flat`` keys by it exactly; elsewhere a network's alpha is used. A remover
is anything of the shape ``Remover``; ``rembg`` is the one there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.drawing.cutout import flat
from lora.jobs import JobError

Floats = NDArray[np.floating[Any]]
LEAST_AREA = 0.004  # of the picture; less is no drawing


class Remover(Protocol):
    """Says how much of each pixel is drawing."""

    def alpha(self, image: Image.Image) -> Floats:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing."""


def remover(cache_dir: Path, model: str = "bundled") -> Remover:
    """The remover by a rembg model's name; ``bundled`` is the network that ships with this project."""
    from lora.drawing.cutout.rembg import RembgRemover

    return RembgRemover(cache_dir, model)


def cut_out(
    image: Image.Image, network: Remover, background_colour: tuple[int, int, int] | None = None
) -> Image.Image:
    """Remove the background. ``background_colour`` is the colour that was asked for, if one was.

    Raises JobError("empty-cutout") when nothing is left.
    """
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64) / 255
    network_alpha = network.alpha(image.convert("RGB"))
    background = flat.background_colour(rgb, background_colour)
    if background is None:
        alpha = network_alpha
        colour = flat.unmixed(rgb, alpha, flat.local_background(rgb, alpha))
    else:
        alpha, colour = flat.key(rgb, background, network_alpha)
    if (alpha > 0.5).mean() < LEAST_AREA:
        raise JobError("empty-cutout")
    rgba = np.concatenate([colour, alpha[..., None]], axis=2)
    rgba[alpha == 0] = 0
    return Image.fromarray((rgba * 255).round().clip(0, 255).astype(np.uint8), "RGBA")
