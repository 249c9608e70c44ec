"""Looks that imitate a material: pencil, print, chalk, paper, water, pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lora.pretrain.looks.colours import flat, from_hex, posterised, stretched
from lora.pretrain.looks.lines import INKS, outlined
from lora.pretrain.looks.picture import (
    Array,
    Picture,
    blurred,
    contours,
    grained,
    inside,
    mixed,
    noise,
    shifted,
)


def shaded(picture: Picture) -> Picture:
    """Light from above and a darker rim, as on a rounded thing."""
    height = picture.alpha.shape[0]
    fall = np.linspace(0.16, -0.2, height, dtype=np.float32)[:, None]
    depth = (inside(picture.alpha) / 14).clip(0, 1)
    light = fall - (1 - depth) ** 2 * 0.3
    rgb = picture.rgb * (1 + light.clip(-1, 0))[..., None]
    return picture._replace(rgb=mixed(rgb, np.ones(3, dtype=np.float32), (light * depth).clip(0, 1) * 1.4))


def glossy(picture: Picture) -> Picture:
    """Shaded, with a white highlight along the upper left edge."""
    depth = inside(picture.alpha)
    soft = blurred((depth / 10).clip(0, 1), 3.0)
    slope = np.gradient(soft, axis=0) + np.gradient(soft, axis=1)
    shine = ((slope * 9 - 0.35).clip(0, 1)) * ((depth - 2) / 3).clip(0, 1)
    lit = shaded(picture)
    return lit._replace(rgb=mixed(lit.rgb, np.ones(3, dtype=np.float32), shine * 0.75))


def _stripes(shape: tuple[int, int], angle: float, period: float) -> Array:
    """A wave in [0, 1] whose crests are lines at an angle (radians)."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    found: Array = 0.5 + 0.5 * np.sin((x * np.sin(angle) + y * np.cos(angle)) * (2 * np.pi / period))
    return found


def hatched(picture: Picture, rng: np.random.Generator, ink: str) -> Picture:
    """Pen strokes instead of dark fills: one direction in the middle tones, two in the darkest."""
    tone = stretched(picture.luma, picture.alpha)
    shape, angle = tone.shape, float(rng.uniform(0.5, 1.1))
    first, second = _stripes(shape, angle, 6.5), _stripes(shape, angle + 1.5, 6.5)
    strokes = np.maximum(
        ((first - 0.25 - tone * 0.75) * 4).clip(0, 1),
        ((second - 0.55 - tone * 1.3) * 4).clip(0, 1),
    )
    solid = ((0.1 - tone) * 20).clip(0, 1)  # eyes and other small black parts stay black
    lines = np.maximum.reduce([strokes * 0.9, solid, contours(picture, 1.6)])
    paper = mixed(picture.rgb, np.ones(3, dtype=np.float32), 0.72)
    drawn = picture._replace(rgb=mixed(paper, from_hex(INKS[ink]), lines))
    return outlined(drawn, ink, 2.0)


def halftone(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dots of a print: larger where the drawing is darker, on its light flat colours."""
    tone = stretched(picture.luma, picture.alpha)
    period = float(rng.uniform(6.5, 9))
    dots = _stripes(tone.shape, 0.79, period) * _stripes(tone.shape, 0.79 + np.pi / 2, period)
    share = ((dots - 0.08 - tone * 0.8) * 5).clip(0, 1)
    light = mixed(flat(picture, 16).rgb, np.ones(3, dtype=np.float32), 0.3)
    return picture._replace(rgb=light * (1 - share[..., None] * 0.62))


def crayon(picture: Picture, rng: np.random.Generator) -> Picture:
    """Wax strokes with paper between them, and ragged edges."""
    shape = picture.alpha.shape
    grain = grained(rng, shape)
    angle = float(rng.uniform(0.6, 1.0))
    strokes = _stripes(shape, angle, 11.0) * 0.35 + noise(rng, shape, 5) * 0.35 + blurred(grain, 0.7) * 0.6
    paper = ((0.52 - strokes) * 5).clip(0, 1)
    ragged = (picture.alpha * 1.6 - 0.6 * (blurred(grain, 0.9) > 0.5) * (inside(picture.alpha) < 3)).clip(
        0, 1
    )
    rgb = mixed(picture.rgb, np.ones(3, dtype=np.float32), paper * 0.55)
    return Picture(rgb, ragged)


def chalk(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dusty, pale colour on the grain of a board, with light contours."""
    shape = picture.alpha.shape
    grain = blurred(grained(rng, shape), 0.8)
    dust = 0.35 + 0.65 * ((grain - 0.44) * 4 + 0.5).clip(0, 1)
    board = np.array([0.16, 0.2, 0.21], dtype=np.float32)
    lines = contours(picture, 2.4)
    pale = mixed(picture.rgb, np.ones(3, dtype=np.float32), 0.35)
    cover = np.maximum(dust * 0.75, lines * (dust * 0.5 + 0.5))
    light = mixed(pale, np.ones(3, dtype=np.float32), lines * 0.6)
    return picture._replace(rgb=mixed(np.broadcast_to(board, pale.shape), light, cover))


def pencil(picture: Picture, rng: np.random.Generator) -> Picture:
    """Grey graphite: soft contours and light shading on white."""
    shape = picture.alpha.shape
    grain = blurred(grained(rng, shape), 0.7)
    tone = stretched(picture.luma, picture.alpha)
    stroke = _stripes(shape, float(rng.uniform(0.6, 1.0)), 4.0)
    shade = ((1 - tone) * 0.55 * (0.55 + 0.45 * stroke)) * (0.6 + grain * 0.8)
    lines = contours(picture, 1.6) * (0.55 + grain * 0.8)
    dark = np.maximum.reduce([shade, lines, ((0.12 - tone) * 16).clip(0, 1)]).clip(0, 0.85)
    return picture._replace(rgb=np.repeat((1 - dark)[..., None], 3, axis=2))


def pixelated(picture: Picture, cells: int) -> Picture:
    """Pixel art: ``cells`` squares a side in few colours, every square wholly there or not."""
    side = picture.alpha.shape[0]
    rgba = np.dstack([picture.rgb * picture.alpha[..., None], picture.alpha])
    small = [
        np.asarray(Image.fromarray(plane).resize((cells, cells), Image.Resampling.BOX))
        for plane in np.moveaxis(rgba, 2, 0)
    ]
    alpha = small[3]
    low = Picture(np.dstack(small[:3]) / np.maximum(alpha, 1e-3)[..., None], alpha)
    low = flat(Picture(low.rgb.clip(0, 1), alpha), 20)
    rows = np.arange(side) * cells // side
    return Picture(low.rgb[rows][:, rows], (low.alpha[rows][:, rows] > 0.45).astype(np.float32))


def paper_cut(picture: Picture, rng: np.random.Generator) -> Picture:
    """Sheets of paper on each other: every colour casts a small shadow on the one beside it."""
    index, palette = posterised(picture._replace(rgb=blurred(picture.rgb, 1.2)), 7)
    rgb = palette[index]
    tone = palette @ np.array([0.3, 0.59, 0.11], dtype=np.float32)
    level = tone[index]
    behind = (shifted(level, 3, 4) > level + 0.03) | (shifted(picture.alpha, 3, 4) < 0.5)
    shade = blurred(behind.astype(np.float32), 1.6) * 0.4
    grain = (blurred(grained(rng, level.shape), 0.6) - 0.5) * 0.12
    return picture._replace(rgb=(rgb * (1 - shade[..., None]) + grain[..., None]).clip(0, 1))


def watercolour(picture: Picture, rng: np.random.Generator) -> Picture:
    """Washes with darker edges where the water dried, and uneven pigment."""
    shape = picture.alpha.shape
    wash = noise(rng, shape, 38) * 0.6 + noise(rng, shape, 11) * 0.4
    soft = blurred(picture.rgb, 2.0)
    edge = np.exp(-(((inside(picture.alpha) - 1.5) / 2.2) ** 2))
    between = contours(picture._replace(rgb=soft), 2.0)
    pale = (0.18 + 0.5 * wash - 0.3 * edge - 0.22 * between).clip(0, 0.75)
    paint = soft * (1 - 0.22 * edge - 0.12 * between)[..., None]
    return Picture(mixed(paint, np.ones(3, dtype=np.float32), pale), picture.alpha)


def stitched(picture: Picture, rng: np.random.Generator) -> Picture:
    """Felt with a row of light stitches along the edge."""
    depth = inside(picture.alpha)
    fuzz = (blurred(grained(rng, depth.shape), 0.9) - 0.5) * 0.35
    felt = flat(picture, 10).rgb + fuzz[..., None]
    y, x = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]].astype(np.float32)
    middle = depth.shape[0] / 2
    around = np.sin(np.arctan2(y - middle, x - middle) * 46) > -0.2
    stitch = (np.abs(depth - 7) < 1.3) & around
    return picture._replace(rgb=mixed(felt.clip(0, 1), np.array([1, 0.97, 0.9]), stitch * 0.85))
