"""Looks that change a drawing's colours."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lora.pretrain.looks.picture import Array, Picture, mixed

# name in captions -> colours from dark to light, as hex
PALETTES = {
    "retro": ("2b2d42", "8d3b2f", "d9822b", "e9c46a", "f4ead5"),
    "candy": ("6a3d7c", "e0559a", "ff9ec4", "9fd8f0", "fff3f8"),
    "earth": ("3b2a20", "7a4b2a", "a9773f", "c9b07c", "f0e6d2"),
    "ocean": ("0b2545", "13507a", "2a9bb5", "8bd3dd", "f1fbfc"),
    "forest": ("1f2f22", "3d6b3a", "7fa650", "d2c66b", "f5f3dc"),
    "sunset": ("3a1c4a", "8f2d56", "e0574f", "f7a64a", "fff0c9"),
    "black and white": ("111111", "555555", "aaaaaa", "ffffff"),
}
DUOTONES = {
    "blue and pink": ("22308f", "ffc2dc"),
    "purple and yellow": ("4b2a7b", "ffe680"),
    "green and cream": ("1d5c46", "fbf1d5"),
    "red and cream": ("a3222f", "fdeedb"),
    "navy and orange": ("152a55", "ffb163"),
    "teal and peach": ("0f5e68", "ffd9c0"),
    "sepia": ("4a2f1b", "f3e2c3"),
}


def from_hex(code: str) -> Array:
    """``ff8000`` -> float32 [3] in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32) / 255


def stretched(luma: Array, alpha: Array) -> Array:
    """The brightness [H, W], stretched so that the drawing's own goes from 0 to 1."""
    seen = luma[alpha > 0.5]
    low, high = np.percentile(seen, (2, 98)) if seen.size else (0.0, 1.0)
    found: Array = ((luma - low) / max(float(high - low), 0.2)).clip(0, 1)
    return found


def pastel(picture: Picture) -> Picture:
    """Light and soft: half way to white, and the darkest parts not black."""
    grey = picture.luma[..., None]
    return picture._replace(rgb=(grey + (picture.rgb - grey) * 0.85) * 0.5 + 0.48)


def vivid(picture: Picture) -> Picture:
    """As saturated and bright as the hue allows."""
    grey = picture.luma[..., None]
    rgb = (grey + (picture.rgb - grey) * 1.7).clip(0, 1)
    peak = rgb.max(axis=2, keepdims=True)
    return picture._replace(rgb=rgb * (1 + 0.35 * (1 - peak)))


def duotone(picture: Picture, name: str) -> Picture:
    """Every brightness between a dark and a light colour."""
    dark, light = (from_hex(code) for code in DUOTONES[name])
    share = stretched(picture.luma, picture.alpha)
    return picture._replace(rgb=mixed(np.broadcast_to(dark, picture.rgb.shape), light, share))


def limited(picture: Picture, name: str) -> Picture:
    """The nearest colours of a small palette, by brightness and a little by hue."""
    palette = np.stack([from_hex(code) for code in PALETTES[name]])
    share = stretched(picture.luma, picture.alpha)
    index, own = posterised(picture._replace(rgb=picture.rgb * 0.45 + share[..., None] * 0.55), 64)
    tone = palette * 0.45 + np.linspace(0, 0.55, len(palette), dtype=np.float32)[:, None]
    near = ((own[:, None] - tone) ** 2).sum(axis=2).argmin(axis=1)
    return picture._replace(rgb=palette[near][index])


def posterised(picture: Picture, count: int) -> tuple[Array, Array]:
    """The index [H, W] of each pixel's colour among ``count``, and the colours [count, 3]."""
    whole = (picture.rgb * 255).astype(np.uint8)
    image = Image.fromarray(whole).quantize(count, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette = np.array(image.getpalette(), dtype=np.float32).reshape(-1, 3) / 255
    return np.asarray(image), palette


def flat(picture: Picture, count: int = 12) -> Picture:
    """A few flat fills without gradients."""
    index, palette = posterised(picture, count)
    return picture._replace(rgb=palette[index])
