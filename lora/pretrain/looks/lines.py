"""Looks that add lines, borders and shadows, or bend a drawing's edges."""

from __future__ import annotations

import numpy as np

from lora.pretrain.looks.colours import from_hex
from lora.pretrain.looks.picture import (
    Array,
    Picture,
    blurred,
    contours,
    filled,
    mixed,
    moved,
    noise,
    outside,
    over,
    shifted,
)

INKS = {
    "black": "17151a",
    "brown": "4a2c1a",
    "navy": "1c2a5a",
    "purple": "4b2170",
    "red": "a8232b",
    "green": "1f5a35",
    "blue": "2453c4",
    "pink": "e2569b",
    "grey": "6b6f76",
}
WIDTHS = {"thin": 2.0, "": 3.6, "thick": 6.0, "very thick": 9.0}  # of an outline, in pixels of 256


def grown(picture: Picture, width: float) -> Array:
    """The alpha [H, W] of the drawing, wider by ``width`` pixels on all sides, without small holes."""
    return np.maximum(picture.alpha, (width + 0.5 - outside(picture.alpha)).clip(0, 1))


def outlined(picture: Picture, ink: str, width: float) -> Picture:
    """A line around the drawing."""
    return over(picture, filled(from_hex(INKS[ink]), grown(picture, width)))


def inked(picture: Picture, ink: str, width: float) -> Picture:
    """A line around the drawing, and thinner ones between its colours."""
    lines = contours(picture, width * 0.55)
    drawn = picture._replace(rgb=mixed(picture.rgb, from_hex(INKS[ink]), lines))
    return outlined(drawn, ink, width * 0.8)


def line_art(picture: Picture, ink: str, width: float) -> Picture:
    """Lines only, on white: a page to colour in."""
    white = picture._replace(rgb=np.ones_like(picture.rgb))
    lines = contours(picture, width * 0.7)
    return outlined(white._replace(rgb=mixed(white.rgb, from_hex(INKS[ink]), lines)), ink, width)


def neon_sign(picture: Picture, ink: str) -> Picture:
    """Glowing lines in the drawing's own colours on a dark plate of its shape."""
    plate = filled(np.array([0.07, 0.05, 0.16]), grown(picture, 9))
    lines = contours(picture, 2.2)
    peak = picture.rgb.max(axis=2, keepdims=True)
    lamp = (picture.rgb / np.maximum(peak, 0.2)) ** 1.5
    glow = from_hex(INKS[ink])
    bright = mixed(lamp, glow / glow.max(), (peak[..., 0] < 0.35).astype(np.float32))
    light = blurred(lines, 5.0)[..., None] * 1.6 + lines[..., None]
    return plate._replace(rgb=(plate.rgb + bright * light).clip(0, 1))


def bordered(picture: Picture, width: float) -> Picture:
    """The white border of a die-cut sticker, with a soft grey edge."""
    border = grown(picture, width)
    edge = blurred(shifted(border, 1, 2), 1.6) * 0.55
    rim = filled(np.array([0.45, 0.45, 0.5]), np.maximum(edge, grown(picture, width + 0.8) * 0.35))
    return over(over(picture, filled(np.ones(3), border)), rim)


def shadowed(picture: Picture, distance: int) -> Picture:
    """A soft shadow to the lower right."""
    shade = blurred(shifted(picture.alpha, distance, distance), distance * 0.55) * 0.5
    return over(picture, filled(np.array([0.1, 0.1, 0.18]), shade))


def hard_shadowed(picture: Picture, ink: str, distance: int) -> Picture:
    """The drawing's own shape in one colour, behind it to the lower right."""
    return over(picture, filled(from_hex(INKS[ink]), shifted(picture.alpha, distance, distance)))


def wobbly(picture: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """Edges bent as by an unsteady hand."""
    shape = picture.alpha.shape
    dx, dy = (
        (noise(rng, shape, 48) - 0.5) * strength + (noise(rng, shape, 20) - 0.5) * strength * 0.5
        for _ in range(2)
    )
    return moved(picture, dx, dy)


def silhouette(picture: Picture, ink: str) -> Picture:
    """The drawing's shape in one colour."""
    return filled(from_hex(INKS[ink]), picture.alpha)
