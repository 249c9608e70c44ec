"""Drawings as an image network should see them: whole, as large as they can be, all framed alike."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lora.evaluation.scorers import FlatDrawing

MARGIN = 0.08  # of the drawing's longer side
INK = 24  # levels of 255 by which a pixel must differ from the background; the decoder's noise is far below


def framed(shown: FlatDrawing, side: int) -> Image.Image:
    """The drawing cropped to its ink and padded with its background to a square of ``side`` pixels.

    Without that, where and how large a thing was drawn would count as much as how.
    """
    rgb = shown.image.convert("RGB")
    far = np.abs(np.asarray(rgb).astype(int) - np.array(shown.background_colour)).max(axis=2) > INK
    ys, xs = np.nonzero(far)
    if len(ys) == 0:
        return Image.new("RGB", (side, side), shown.background_colour)
    cut = rgb.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    edge = round(max(cut.size) * (1 + 2 * MARGIN))
    square = Image.new("RGB", (edge, edge), shown.background_colour)
    square.paste(cut, ((edge - cut.width) // 2, (edge - cut.height) // 2))
    return square.resize((side, side), Image.Resampling.BICUBIC)
