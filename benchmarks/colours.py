"""Names the colour of a drawing in one word, and recolours real drawings to check that.

Each pixel that is neither background, outline nor grey gets a word by its hue, saturation and value. A drawing has the
colour of most of these pixels.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

NEAR_WHITE = 20  # of 255: the largest difference in a channel up to which a pixel is background
LEAST_SATURATION, LEAST_VALUE = 0.2, 0.25  # below: grey or white, black
LEAST_SHARE = 0.2  # of the visible pixels that must have any colour at all
# Hue in degrees up to which a word is used; above the last one it is red again.
WORDS = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (165, "green"),
    (255, "blue"),
    (290, "purple"),
    (345, "pink"),
)
# The colours in prompts: hue in degrees and saturation to recolour a drawing with.
ASKED = {
    "red": (0, 0.8),
    "yellow": (52, 0.8),
    "green": (120, 0.7),
    "blue": (220, 0.75),
    "purple": (273, 0.65),
    "pink": (332, 0.5),
}  # fmt: skip


def colour_of(rgb: Image.Image) -> str | None:
    """The colour of most coloured pixels of a drawing on white; None if it is black, white or grey."""
    visible = (255 - np.asarray(rgb.convert("RGB")).astype(int)).max(axis=2) > NEAR_WHITE
    hsv = np.asarray(rgb.convert("RGB").convert("HSV")).astype(float)[visible]
    hue, saturation, value = hsv[:, 0] * 360 / 255, hsv[:, 1] / 255, hsv[:, 2] / 255
    coloured = (saturation >= LEAST_SATURATION) & (value >= LEAST_VALUE)
    if len(hsv) == 0 or coloured.mean() < LEAST_SHARE:
        return None
    words = _words(hue[coloured], saturation[coloured], value[coloured])
    found, counts = np.unique(words, return_counts=True)
    return str(found[counts.argmax()])


def _words(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    limits, names = zip(*WORDS, strict=True)
    words = np.array([*names, "red"], dtype="<U8")[np.searchsorted(limits, hue, side="right")]
    words[(words == "red") & (saturation < 0.55) & (value > 0.75)] = "pink"
    words[np.isin(words, ("red", "orange")) & (hue > 8) & (hue < 45) & (value < 0.6)] = "brown"
    return words


def recoloured(rgba: np.ndarray, colour: str) -> Image.Image:
    """A real drawing (RGBA, uint8 [H, W, 4]) in one colour of ``ASKED``, on white; dark lines stay dark."""
    picture = Image.fromarray(rgba)
    hsv = np.array(picture.convert("RGB").convert("HSV"))
    hue, saturation = ASKED[colour]
    fill = hsv[..., 2] > 0.3 * 255
    hsv[fill, 0] = round(hue * 255 / 360)
    hsv[fill, 1] = np.maximum(hsv[fill, 1] * saturation, saturation * 200).astype(np.uint8)
    tinted = Image.fromarray(hsv, "HSV").convert("RGB")
    background = Image.new("RGB", picture.size, "white")
    background.paste(tinted, mask=picture.getchannel("A"))
    return background
