"""Frames drawings for image networks: each is cropped and scaled to fill a square with the same margin."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lora.evaluation.scorers import FlatDrawing

MARGIN = 0.08  # of the drawing's longer side
INK = 24  # a pixel belongs to the drawing if it differs from the background by more, of 255; decoder noise is far less


def framed(drawing: FlatDrawing, side: int) -> Image.Image:
    """The drawing cropped to its ink and padded with its background to a square of ``side`` pixels.

    Otherwise place and size would change the features as much as style does.
    """
    rgb = drawing.image.convert("RGB")
    ink = np.abs(np.asarray(rgb).astype(int) - np.array(drawing.background_colour)).max(axis=2) > INK
    ys, xs = np.nonzero(ink)
    if len(ys) == 0:
        return Image.new("RGB", (side, side), drawing.background_colour)
    cut = rgb.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    edge = round(max(cut.size) * (1 + 2 * MARGIN))
    square = Image.new("RGB", (edge, edge), drawing.background_colour)
    square.paste(cut, ((edge - cut.width) // 2, (edge - cut.height) // 2))
    return square.resize((side, side), Image.Resampling.BICUBIC)
