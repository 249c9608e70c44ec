"""Sprites: drawings as Pillow images that are scaled, turned and put onto each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import cos, radians, sin
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

Array = np.ndarray[Any, Any]
Point = tuple[float, float]
SIDE = 256


@dataclass(frozen=True)
class Sprite:
    """A drawing uint8 [256, 256, 4], straight alpha, and where its shape has what. Points are pixels (x, y)."""

    rgba: Array

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is visible."""
        ys, xs = np.nonzero(self.rgba[..., 3] > 127)
        if not len(xs):
            return 0, 0, SIDE, SIDE
        return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1

    @property
    def centre(self) -> Point:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is visible."""
        left, top, right, bottom = self.box
        return right - left, bottom - top

    def top_at(self, x: float) -> float:
        """The highest visible row near a column."""
        return self._edge(x, first=True)

    def bottom_at(self, x: float) -> float:
        """The row below the lowest visible one near a column."""
        return self._edge(x, first=False)

    def _edge(self, x: float, *, first: bool) -> float:
        left = min(max(round(x) - 4, 0), SIDE - 9)
        rows = np.nonzero((self.rgba[:, left : left + 9, 3] > 127).any(axis=1))[0]
        if not len(rows):
            return float(self.box[1] if first else self.box[3])
        return float(rows[0] if first else rows[-1] + 1)

    @cached_property
    def disc(self) -> tuple[float, float, float]:
        """Centre and radius of the largest disc inside of the shape; holes under 12 px are filled."""
        alpha = ndimage.binary_closing(self.rgba[::2, ::2, 3] > 127, iterations=3)
        depth = ndimage.distance_transform_edt(np.pad(alpha, 1))[1:-1, 1:-1]
        ys, xs = np.nonzero(depth > 0.96 * depth.max())
        return float(xs.mean()) * 2, float(ys.mean()) * 2, float(depth.max()) * 2

    def colour(self, x: float, y: float, radius: float) -> Array:
        """The median colour of the visible pixels in a square, float [3] of 255; of all if none is visible there."""
        rows, columns = (slice(max(round(at - radius), 0), max(round(at + radius), 0) + 1) for at in (y, x))
        part = self.rgba[rows, columns].reshape(-1, 4)
        part = part[part[:, 3] > 200]
        if not len(part):
            part = self.rgba.reshape(-1, 4)
            part = part[part[:, 3] > 200]
        return np.median(part[:, :3], axis=0) if len(part) else np.full(3, 128.0)


def blank() -> Image.Image:
    """An empty canvas."""
    return Image.new("RGBA", (SIDE, SIDE))


def placed(
    sprite: Sprite, *, pin: Point, at: Point, scale: float, angle: float = 0.0, flip: bool = False
) -> Image.Image:
    """The sprite on an empty canvas: scaled, turned (degrees, clockwise), its point ``pin`` at ``at``."""
    turn = radians(angle)
    mirror = -1.0 if flip else 1.0
    # Pillow asks from where each pixel of the canvas comes.
    a, b = cos(turn) / scale * mirror, sin(turn) / scale * mirror
    d, e = -sin(turn) / scale, cos(turn) / scale
    c = pin[0] - a * at[0] - b * at[1]
    f = pin[1] - d * at[0] - e * at[1]
    source = Image.fromarray(sprite.rgba, "RGBA").convert("RGBa")
    if scale < 0.6:  # bicubic sampling of a larger picture would alias
        half = source.reduce(2)
        a, b, c, d, e, f = (v / 2 for v in (a, b, c, d, e, f))
        if scale < 0.3:
            half = half.reduce(2)
            a, b, c, d, e, f = (v / 2 for v in (a, b, c, d, e, f))
        source = half
    moved = source.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC
    )
    return moved.convert("RGBA")


def sprite_of(image: Image.Image) -> Sprite:
    """A sprite of a canvas."""
    return Sprite(np.asarray(image))


def carried(point: Point, *, pin: Point, at: Point, scale: float, angle: float = 0.0) -> Point:
    """Where ``placed`` puts another point of the sprite."""
    turn = radians(angle)
    x, y = (point[0] - pin[0]) * scale, (point[1] - pin[1]) * scale
    return at[0] + x * cos(turn) - y * sin(turn), at[1] + x * sin(turn) + y * cos(turn)
