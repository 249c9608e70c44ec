"""Colours an icon of one colour: its lines, its light parts and its holes each get a colour of one palette."""

from __future__ import annotations

from random import Random

import numpy as np
from scipy import ndimage

from lora.pretrain.looks.colours import from_hex
from lora.pretrain.looks.picture import Array, Picture, over, to_rgba

# lines, light parts, and what may fill holes
PALETTES = (
    ("2b2d42", "ef8354", ("f6d8b8", "ffffff", "8fb8de")),
    ("3d2c2e", "e4572e", ("ffc857", "fff4d6", "f2a07b")),
    ("1d3557", "4ea8de", ("cfe8f7", "ffffff", "ffd166")),
    ("2f4b26", "7cb518", ("dff0b3", "fff8e1", "f3a712")),
    ("4a2545", "c879b8", ("f7d9ee", "fff6fb", "ffd27f")),
    ("8d1f2d", "f25f5c", ("ffd6d1", "ffffff", "ffe066")),
    ("5a3a1e", "c98b4b", ("f1d9b5", "fffaf0", "a7c957")),
    ("0f4c4c", "2ec4b6", ("cbf3f0", "ffffff", "ff9f1c")),
    ("1f1f24", "9aa0a6", ("e8eaed", "ffffff", "ff6b6b")),
    ("e07a1f", "ffcf56", ("fff1c9", "ffffff", "e85d75")),
)
SMALLEST_HOLE = 40  # pixels


def painted(rgba: Array, rng: Random) -> Array:
    """An icon, uint8 [H, W, 4] of any one colour, in three to five colours.

    Parts whose alpha is between a twentieth and 0.7 are the light ones of a two-tone icon. Holes are transparent parts
    that the icon encloses.
    """
    alpha = rgba[..., 3].astype(np.float32) / 255
    line, light, fills = rng.choice(PALETTES)
    ink = ((alpha - 0.45) / 0.4).clip(0, 1) if _two_tone(alpha) else alpha
    colours = np.zeros((*alpha.shape, 3), dtype=np.float32)
    below = ndimage.binary_opening((alpha > 0.06) & (alpha < 0.7), iterations=2)
    colours[below] = from_hex(light)
    holes, _ = ndimage.label(alpha < 0.06)
    outside = set(np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])))
    for number, area in enumerate(np.bincount(holes.ravel())):
        if number and number not in outside and area >= SMALLEST_HOLE:
            hole = holes == number
            colours[hole], below = from_hex(rng.choice(fills)), below | hole
    if not below.any():
        return to_rgba(Picture(np.broadcast_to(from_hex(rng.choice((line, light))), colours.shape), alpha))
    # Fills reach under the lines, so that nothing shines through between them.
    nearest = ndimage.distance_transform_edt(~below, return_distances=False, return_indices=True)
    wide = ndimage.binary_dilation(below, iterations=3) & ((alpha > 0.5) | below)
    fill = Picture(colours[nearest[0], nearest[1]], np.maximum(wide, below).astype(np.float32))
    lines = Picture(np.broadcast_to(from_hex(line), colours.shape), ink)
    return to_rgba(over(lines, fill))


def _two_tone(alpha: Array) -> bool:
    """Whether a tenth of what is visible is half transparent."""
    return bool(((alpha > 0.06) & (alpha < 0.7)).sum() > 0.1 * (alpha > 0.06).sum())
