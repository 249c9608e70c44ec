"""A drawing as float arrays, and the operations that several looks share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

Array = np.ndarray[Any, Any]
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # Rec. 601


class Picture(NamedTuple):
    """A drawing: ``rgb`` [H, W, 3] with straight alpha, ``alpha`` [H, W]; float32 in [0, 1]."""

    rgb: Array
    alpha: Array

    @property
    def luma(self) -> Array:
        """The brightness [H, W]."""
        found: Array = self.rgb @ LUMA
        return found


def of_rgba(rgba: Array, *, inset: float = 0.0) -> Picture:
    """From uint8 [H, W, 4]. ``inset`` is the share of the side that becomes free at each edge.

    Colour is spread into the transparent part, so that filters do not mix black into the edges.
    """
    image = Image.fromarray(rgba, "RGBA").convert("RGBa")
    side = rgba.shape[0]
    if inset:
        small = round(side * (1 - 2 * inset))
        placed = Image.new("RGBa", (side, side))
        edge = (side - small) // 2
        placed.paste(image.resize((small, small), Image.Resampling.BICUBIC), (edge, edge))
        image = placed
    alpha = np.asarray(image, dtype=np.float32)[..., 3] / 255
    spread = _colours(image.filter(ImageFilter.GaussianBlur(side / 60)))
    rgb = np.where((alpha > 0.5)[..., None], _colours(image), spread)
    return Picture(rgb, alpha)


def _colours(premultiplied: Image.Image) -> Array:
    """The colours of an image in mode RGBa, float32 [H, W, 3]."""
    values = np.asarray(premultiplied, dtype=np.float32)
    found: Array = (values[..., :3] / np.maximum(values[..., 3:], 1)).clip(0, 1)
    return found


def to_rgba(picture: Picture) -> Array:
    """uint8 [H, W, 4], straight alpha; the colour under alpha 0 is zero."""
    alpha = (picture.alpha.clip(0, 1) * 255).round().astype(np.uint8)
    rgb = (picture.rgb.clip(0, 1) * 255).round().astype(np.uint8)
    return np.dstack([rgb * (alpha > 0)[..., None], alpha])


def blurred(values: Array, sigma: float) -> Array:
    """Gaussian blur of [H, W] or [H, W, C] over its first two axes."""
    radii = (sigma, sigma, 0) if values.ndim == 3 else sigma
    found: Array = ndimage.gaussian_filter(values, radii, truncate=2.5)
    return found


def outside(alpha: Array) -> Array:
    """The distance in pixels of each pixel [H, W] from the drawing; 0 inside of it."""
    found: Array = ndimage.distance_transform_edt(alpha < 0.5)
    return found.astype(np.float32)


def inside(alpha: Array) -> Array:
    """The distance in pixels of each pixel [H, W] from the drawing's edge; 0 outside of it."""
    found: Array = ndimage.distance_transform_edt(alpha > 0.5)
    return found.astype(np.float32)


def over(top: Picture, bottom: Picture) -> Picture:
    """Porter and Duff's "over" with straight alpha."""
    alpha = top.alpha + bottom.alpha * (1 - top.alpha)
    weight = (top.alpha / np.maximum(alpha, 1e-4))[..., None]
    return Picture(top.rgb * weight + bottom.rgb * (1 - weight), alpha)


def filled(colour: Array, alpha: Array) -> Picture:
    """A flat colour [3] with the alpha [H, W]."""
    return Picture(np.broadcast_to(colour.astype(np.float32), (*alpha.shape, 3)), alpha)


def mixed(rgb: Array, colour: Array, share: Array | float) -> Array:
    """``rgb`` with a share of another colour: [H, W, 3] with a share [H, W] or one number."""
    weight = share[..., None] if isinstance(share, np.ndarray) else share
    found: Array = rgb * (1 - weight) + colour * weight
    return found


def contours(picture: Picture, width: float) -> Array:
    """How much of each pixel [H, W] is line: the edges between colours, and the drawing's own edge."""
    image = Image.fromarray(to_rgba(picture), "RGBA").convert("RGBa")
    smooth = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8 + width / 6))).astype(np.int16)
    slope = np.zeros(smooth.shape[:2], dtype=np.int16)
    across, down = np.abs(smooth[:, 2:] - smooth[:, :-2]), np.abs(smooth[2:] - smooth[:-2])
    for channel in range(4):
        np.maximum(slope[:, 1:-1], across[..., channel], out=slope[:, 1:-1])
        np.maximum(slope[1:-1], down[..., channel], out=slope[1:-1])
    sharp: Array = ((slope.astype(np.float32) - 18) / 20).clip(0, 1)
    return (blurred(sharp, width / 3) * 2.2 - 0.35).clip(0, 1) if width > 1 else sharp


def grained(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A random number in [0, 1) for each pixel [H, W]."""
    found: Array = rng.random(shape, dtype=np.float32)
    return found


def noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    """Smooth noise in [0, 1], whose spots are about ``scale`` pixels wide."""
    small = [max(2, round(n / scale) + 2) for n in shape]
    grid = Image.fromarray(grained(rng, tuple(small)))
    return np.asarray(grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)).clip(0, 1)


def moved(picture: Picture, dx: Array, dy: Array) -> Picture:
    """Each pixel taken from ``dx``, ``dy`` [H, W] pixels away, to the next whole pixel of a doubled grid."""
    height, width = picture.alpha.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    at = np.stack([y + dy, x + dx])
    planes = [
        ndimage.map_coordinates(plane, at, order=1, mode="nearest", prefilter=False)
        for plane in (*np.moveaxis(picture.rgb, 2, 0), picture.alpha)
    ]
    return Picture(np.dstack(planes[:3]), planes[3])


def shifted(values: Array, dx: int, dy: int) -> Array:
    """[H, W, ...] moved to the right and down; zero where it came from."""
    found = np.zeros_like(values)
    height, width = values.shape[:2]
    found[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = values[
        max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)
    ]
    return found
