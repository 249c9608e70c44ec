"""Chooses the background colour for a set of drawings: the one that is easiest to tell from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from lora.data.dataset import has_transparency
from lora.data.pictures import FAINTEST_ALPHA, visible_box

CLEARLY_FAR = (
    35.0  # CIE76 distance from which on white, the best-known background, is far enough from a palette
)


SOLID_ALPHA = 0.5  # fainter pixels of a drawing do not count, if it has any others


def choose_background(images: Iterable[Image.Image], backgrounds: Mapping[str, tuple[int, int, int]]) -> str:
    """The name of the background that is easiest to tell from these RGBA drawings.

    Each picture counts alike. A background's distance is the 5th percentile, over the drawings' pixels, of the CIE76
    difference to it, edges counting five times: that is where a cut-out goes wrong. White wins if it is
    clearly far, for every base knows it best, and if there are no drawings. Pictures that are mostly opaque bring
    their own background, so the nearest name to their border is taken.
    """
    borders, palettes = [], []
    for image in images:  # one at a time: they may be decoded only here
        if has_transparency(image):
            palettes.append(_palette(image))
        else:
            borders.append(_border(image))
    if len(borders) > len(palettes):
        border = np.concatenate(borders)
        return min(backgrounds, key=lambda name: float(np.median(_difference(border, backgrounds[name]))))
    if not any(len(weights) for _, weights in palettes):
        return "white" if "white" in backgrounds else next(iter(backgrounds))
    palette = np.concatenate([colours for colours, _ in palettes])
    weights = np.concatenate([weights for _, weights in palettes])

    @cache
    def far(name: str) -> float:
        return _low(_difference(palette, backgrounds[name]), weights)

    return "white" if "white" in backgrounds and far("white") >= CLEARLY_FAR else max(backgrounds, key=far)


def _palette(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Lab colours [n, 3] of a drawing's pixels and their weights [n], which sum to 1; nothing if all is invisible.

    A drawing without any solid pixel, such as a ghost, counts with all that is visible of it.
    """
    image = image.crop(visible_box(image))
    image.thumbnail((128, 128), Image.Resampling.NEAREST)  # a palette needs no more, and no mixed colours
    pixels = np.asarray(image, dtype=np.float32)
    alpha = pixels[..., 3] / 255
    solid = alpha > SOLID_ALPHA
    if not solid.any():
        solid = alpha > FAINTEST_ALPHA / 255
    around = np.pad(solid, 1)
    edge = (around & ~binary_erosion(around, iterations=2))[1:-1, 1:-1]
    weight = alpha * solid * (1 + 4 * edge)
    return _lab(pixels[..., :3][solid]), weight[solid] / max(weight.sum(), 1e-6)


def _border(image: Image.Image) -> np.ndarray:
    """Lab colours [n, 3] of a picture's outermost pixels."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return _lab(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))


def _difference(lab: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.linalg.norm(lab - _lab(np.array([colour], dtype=np.float32)), axis=1)


def _low(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted 5th percentile."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.05 * below[-1])])


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB 0..255 [n, 3] as CIE L*a*b* under D65 (IEC 61966-2-1, CIE 15)."""
    scaled = rgb / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * (24389 / 27 / 116) + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
