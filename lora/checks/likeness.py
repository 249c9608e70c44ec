"""How a drawing looks without its background, small enough to be compared with many others.

A picture that was sent as a photo, as a file and as a sticker has three sizes, three formats and up to three
backgrounds. Its drawing is found by what differs from white and from black, and brought to one size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ENOUGH_PX = 256  # of the longer side of a picture that is looked at
SIDE_PX, BLOCK_PX = 64, 8  # of a view, and of the blocks in which views are compared
WHITE, BLACK = 255, 0
FAINT, CLEAR = 16, 48  # of 255: nearer to the background is none of the drawing, farther from it is all of it
OUTSIDE = 0.003  # part of a drawing that may lie beyond each edge of its box: there are JPEG's specks
# Of 255: the mean, and that of the block that differs most. One drawing sent in nine ways differs by less, but for a
# few of 1,080 cases; two different ones of a set differ by 2.4 and 26 at least (benchmarks/likeness.py).
MOST_DIFFERENCE, MOST_BLOCK_DIFFERENCE = 6.0, 19.0
MOST_STRETCH = 0.02  # of the ratio of the sides, as a logarithm; of one drawing 0.012 at most
NEAR_BITS = 6  # of the 63 of two hashes
NEAR_COLOUR, NEAR_SPOT = 24.0, 64.0  # of 255: mean and largest difference of colours
NEAR_STRETCH = 0.1
HASH_PX, LOW = 32, 8  # pixels that are transformed, frequencies that are kept
FLAT_SPREAD, FLAT_SHARE = 12.0, 60  # a border is flat if 60 of 100 pixels are this near to its colour
NEARLY_WHITE = 245  # of 255

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class View:
    """A drawing on one background, cut to its box."""

    ratio: float  # width / height of the box
    pixels: Pixels = field(repr=False)  # [64, 64, 3]

    @property
    def mirrored(self) -> View:
        """The same from left to right."""
        return View(ratio=self.ratio, pixels=self.pixels[:, ::-1])

    @cached_property
    def hash(self) -> int:
        """A perceptual hash of 63 bits (pHash, Zauner 2010): which low frequencies are above their median."""
        grey = _grid(self.pixels, HASH_PX) @ np.array([0.299, 0.587, 0.114])
        at = (2 * np.arange(HASH_PX) + 1) * np.pi / (2 * HASH_PX)
        waves = np.cos(np.outer(np.arange(LOW), at))  # the first rows of a DCT-II
        low = (waves @ grey @ waves.T).flatten()[1:]  # without the mean
        return int("".join("1" if bit else "0" for bit in low > np.median(low)), 2)

    @cached_property
    def colours(self) -> Floats:
        """Its mean colours in a grid [8, 8, 3]."""
        return _grid(self.pixels, 8)


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The views of one picture; None where nothing is to be seen."""

    opaque: bool
    on_white: View | None
    on_black: View | None
    freed: View | None  # on white, with an opaque picture's flat background of another colour taken away

    @cached_property
    def mirrored(self) -> Likeness:
        """The same from left to right."""
        views = (self.on_white, self.on_black, self.freed)
        white, black, freed = (view and view.mirrored for view in views)
        return Likeness(opaque=self.opaque, on_white=white, on_black=black, freed=freed)


def likeness(image: Image.Image) -> Likeness:
    """The likeness of an RGBA picture."""
    small = _small(image)
    opaque = image.getchannel("A").getextrema()[0] == 255
    freed = _freed(small.convert("RGB")) if opaque else None
    return Likeness(
        opaque=opaque,
        on_white=_view(_on(small, WHITE), WHITE),
        on_black=_view(_on(small, BLACK), BLACK),
        freed=None if freed is None else _view(freed, WHITE),
    )


def same(one: Likeness, other: Likeness) -> bool:
    """Whether they show the same drawing: in another size or format, on another background or on none."""
    return _match(one, other, _equal)


def near(one: Likeness, other: Likeness) -> bool:
    """Whether they are almost the same, mirrored ones too: one of them teaches as much as both."""
    both = (other, other.mirrored)
    return any(_match(one, each, _equal) or _match(one, each, _resembling) for each in both)


def _match(one: Likeness, other: Likeness, alike: Callable[[View, View], bool]) -> bool:
    """Whether the views are alike that may be on the same background."""
    pairs = [(one.on_white, other.on_white), (one.on_black, other.on_black)]
    if one.opaque or other.opaque:
        pairs += [(one.freed, other.on_white), (one.on_white, other.freed), (one.freed, other.freed)]
        return any(a is not None and b is not None and alike(a, b) for a, b in pairs)
    # White parts are seen on black only, black ones on white only.
    seen = [(a, b) for a, b in pairs if a is not None or b is not None]
    return bool(seen) and all(a is not None and b is not None and alike(a, b) for a, b in seen)


def _equal(one: View, other: View) -> bool:
    if _stretch(one, other) > MOST_STRETCH:
        return False
    apart = np.abs(one.pixels.astype(np.int16) - other.pixels).max(axis=2)
    count = SIDE_PX // BLOCK_PX
    blocks = apart.reshape(count, BLOCK_PX, count, BLOCK_PX).mean(axis=(1, 3))
    return bool(apart.mean() <= MOST_DIFFERENCE and blocks.max() <= MOST_BLOCK_DIFFERENCE)


def _resembling(one: View, other: View) -> bool:
    if _stretch(one, other) > NEAR_STRETCH or (one.hash ^ other.hash).bit_count() > NEAR_BITS:
        return False
    apart = np.abs(one.colours - other.colours)
    return bool(apart.mean() <= NEAR_COLOUR and apart.max() <= NEAR_SPOT)


def _stretch(one: View, other: View) -> float:
    return abs(math.log(one.ratio / other.ratio))


def _grid(pixels: Pixels, side: int) -> Floats:
    """The means of a view's pixels in a grid [side, side, 3]."""
    step = SIDE_PX // side
    means: Floats = pixels.reshape(side, step, side, step, 3).mean(axis=(1, 3))
    return means


def _small(image: Image.Image) -> Image.Image:
    factor = ENOUGH_PX / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.convert("RGBa").resize((width, height), Image.Resampling.BOX).convert("RGBA")


def _on(image: Image.Image, ground: int) -> Image.Image:
    flat = Image.new("RGBA", image.size, (ground, ground, ground, 255))
    flat.alpha_composite(image)
    return flat.convert("RGB")


def _view(image: Image.Image, ground: int) -> View | None:
    """The drawing of an RGB picture on a background, in its box; None if there is none."""
    apart = np.abs(np.asarray(image).astype(np.int16) - ground).max(axis=2)
    drawn = np.clip((apart - FAINT) / (CLEAR - FAINT), 0.0, 1.0)
    if not drawn.any():
        return None
    left, right = _ends(drawn.sum(axis=0))
    top, bottom = _ends(drawn.sum(axis=1))
    pixels = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.HAMMING, box=(left, top, right, bottom))
    return View(ratio=(right - left) / (bottom - top), pixels=np.asarray(pixels))


def _ends(profile: NDArray[Any]) -> tuple[float, float]:
    """Where a drawing begins and ends, in parts of pixels: all but ``OUTSIDE`` of it lies behind and before."""
    until = np.concatenate([[0.0], np.cumsum(profile)])
    places = np.arange(len(until))
    begin, end = (float(np.interp(part * until[-1], until, places)) for part in (OUTSIDE, 1 - OUTSIDE))
    return begin, end


def _freed(image: Image.Image) -> Image.Image | None:
    """An RGB picture with white in place of the colour that most of its border has; None if there is no such colour,
    or if it is white.
    """
    pixels = np.array(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.float64)
    colour = np.median(border, axis=0)
    spread = np.percentile(np.abs(border - colour).max(axis=1), FLAT_SHARE)
    if spread > FLAT_SPREAD or colour.min() >= NEARLY_WHITE:
        return None
    pixels[_reached(np.abs(pixels - colour).max(axis=2) <= CLEAR)] = WHITE
    return Image.fromarray(pixels)


def _reached(near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels that are reached from the border over pixels that are ``near`` the background's colour."""
    reached = near.copy()
    reached[1:-1, 1:-1] = False
    for _ in range(4 * ENOUGH_PX):  # far enough for all but a maze
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= near
        if np.array_equal(grown, reached):
            break
        reached = grown
    return reached
