"""The kinds of layers that a look can have: their options, their words, and the function of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lora.pretrain.looks import colours, lines, textures
from lora.pretrain.looks.picture import Picture


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``apply(picture, option, rng)`` makes the layer; ``words`` are forms for captions, which may name the option."""

    apply: Callable[[Picture, str, np.random.Generator], Picture]
    words: tuple[str, ...]
    options: tuple[str, ...] = ("",)


def _ink(option: str) -> tuple[str, float]:
    """``very thick brown`` -> the ink's name and the line's width in pixels."""
    width, _, ink = option.rpartition(" ")
    return ink, lines.WIDTHS[width]


def _simple(function: Callable[[Picture], Picture], *words: str) -> Kind:
    return Kind(apply=lambda picture, option, rng: function(picture), words=words)


def _grained(function: Callable[[Picture, np.random.Generator], Picture], *words: str) -> Kind:
    return Kind(apply=lambda picture, option, rng: function(picture, rng), words=words)


_INKS = ("black", "black", "black", "brown", "navy", "purple", "red", "green", "blue", "pink", "grey")
_PENS = tuple(f"{width} {ink}".strip() for width in lines.WIDTHS for ink in _INKS)
_FINE = tuple(pen for pen in _PENS if not pen.startswith("very"))

KINDS = {
    # Colours.
    "pastel": _simple(colours.pastel, "pastel", "pastel colours", "soft pastel colours"),
    "vivid": _simple(colours.vivid, "bright colours", "vivid colours", "neon colours"),
    "duotone": Kind(
        apply=lambda picture, option, rng: colours.duotone(picture, option),
        words=("{} duotone", "{} duotone", "in two colours, {}"),
        options=tuple(colours.DUOTONES),
    ),
    "limited": Kind(
        apply=lambda picture, option, rng: colours.limited(picture, option),
        words=("{} colours", "{} palette", "limited {} palette"),
        options=tuple(colours.PALETTES),
    ),
    "flat": _simple(colours.flat, "flat", "flat colours", "flat fill"),
    # Materials.
    "shaded": _simple(textures.shaded, "shaded", "soft shading", "gradient shading"),
    "glossy": _simple(textures.glossy, "glossy", "shiny", "glossy 3d"),
    "halftone": _grained(textures.halftone, "halftone", "halftone dots", "pop art dots"),
    "crayon": _grained(textures.crayon, "crayon", "crayon drawing", "wax crayon"),
    "paper cut": _grained(textures.paper_cut, "paper cut", "cut out of paper", "layered paper"),
    "watercolour": _grained(textures.watercolour, "watercolour", "watercolor", "watercolour painting"),
    "wobbly": Kind(
        apply=lambda picture, option, rng: lines.wobbly(picture, rng, 14.0),
        words=("wobbly", "wobbly lines", "hand drawn"),
    ),
    "felt": _grained(textures.stitched, "felt", "stitched felt patch", "embroidered patch"),
    # Lines.
    "outline": Kind(
        apply=lambda picture, option, rng: lines.outlined(picture, *_ink(option)),
        words=("{} outline", "{} outline", "outlined in {}"),
        options=_PENS,
    ),
    "ink": Kind(
        apply=lambda picture, option, rng: lines.inked(picture, *_ink(option)),
        words=("{} ink lines", "{} lines", "cartoon with {} lines"),
        options=_FINE,
    ),
    # Finishes.
    "border": Kind(
        apply=lambda picture, option, rng: lines.bordered(picture, float(rng.uniform(6, 10))),
        words=("white border", "white sticker border", "die-cut sticker"),
    ),
    "shadow": Kind(
        apply=lambda picture, option, rng: lines.shadowed(picture, int(rng.integers(4, 10))),
        words=("drop shadow", "soft shadow", "with a shadow"),
    ),
    "offset": Kind(
        apply=lambda picture, option, rng: lines.hard_shadowed(picture, option, int(rng.integers(4, 8))),
        words=("{} hard shadow", "hard {} shadow"),
        options=tuple(lines.INKS),
    ),
    # Whole looks.
    "line art": Kind(
        apply=lambda picture, option, rng: lines.line_art(picture, *_ink(option)),
        words=("{} line art", "{} line drawing", "colouring page, {} lines"),
        options=_FINE,
    ),
    "neon sign": Kind(
        apply=lambda picture, option, rng: lines.neon_sign(picture, option),
        words=("neon sign", "glowing neon", "neon lights"),
        options=("pink", "blue"),
    ),
    "hatching": Kind(
        apply=lambda picture, option, rng: textures.hatched(picture, rng, option),
        words=("{} hatching", "hatched in {}", "{} pen drawing"),
        options=("black", "brown", "navy"),
    ),
    "chalk": _grained(textures.chalk, "chalk", "chalk drawing", "chalk on a blackboard"),
    "pencil": _grained(textures.pencil, "pencil", "pencil sketch", "pencil drawing"),
    "pixels": Kind(
        apply=lambda picture, option, rng: textures.pixelated(picture, int(option)),
        words=("pixel art", "pixelated", "8-bit"),
        options=("24", "32", "40"),
    ),
    "silhouette": Kind(
        apply=lambda picture, option, rng: lines.silhouette(picture, option),
        words=("{} silhouette", "{} shape"),
        options=("black", "navy", "red", "blue", "green"),
    ),
}
COLOURS = ("pastel", "vivid", "duotone", "limited", "flat")
MATERIALS = ("shaded", "glossy", "halftone", "crayon", "paper cut", "watercolour", "wobbly", "felt")
LINES = ("outline", "outline", "ink")
FINISHES = ("border", "border", "shadow", "offset")
WHOLE = ("line art", "neon sign", "hatching", "chalk", "pencil", "pixels", "silhouette")
