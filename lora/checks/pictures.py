"""Quick checks of pictures: how many, how large, on which background, and whether two are almost the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.checks.share import severity
from lora.data import pictures
from lora.jobs import Finding

ADVISED = (20, 50)
LEAST_SIDE_PX = 256  # what the smallest base trains at
FLAT_SPREAD = 12.0  # of 255: the border's usual distance from its median colour, JPEG's noise included
SAME_BITS = 6  # of 63 that may differ between two perceptual hashes of one drawing
SAME_COLOUR = 24.0  # of 255: mean difference of their colours
ENOUGH_PX = 1024  # of the longer side; the largest base trains at 768
EQUAL_COLOUR = 2.0  # so close that the hash is not asked: of a symmetric drawing it is half noise

_GREY = (128, 128, 128, 255)
_SIDE, _LOW = 32, 8  # pixels that are transformed, frequencies that are kept

Floats = NDArray[np.floating[Any]]
Decode = Callable[[bytes, int], Image.Image]


@dataclass(frozen=True, kw_only=True)
class PictureSummary:
    """What is remembered of a picture: small enough to keep a whole set of them."""

    side_px: int  # the longer one of the drawing, without what is transparent or of the background around it
    opaque: bool
    flat: bool  # whether an opaque picture's border is of one colour
    prints: tuple[int, int] = field(repr=False)  # perceptual hashes: as it is, and mirrored
    colours: tuple[Floats, Floats] = field(repr=False)  # [4, 4, 3] likewise


def summarise(picture: bytes, decode: Decode = pictures.open_rgba) -> PictureSummary:
    """Decode a picture and keep its summary. Raises PictureError.

    A large picture is shrunk as soon as it is decoded: ``side_px`` is then right to a few pixels.
    """
    info = pictures.check(picture)
    image = decode(picture, ENOUGH_PX)
    factor = max(info.width, info.height) / max(image.size)
    opaque = image.getchannel("A").getextrema()[0] == 255
    flat = opaque and _flat(image)
    image = image.crop(_drawn_box(image) if flat else pictures.visible_box(image))
    side_px = round(max(image.size) * factor)
    background = Image.new("RGBA", image.size, _GREY)  # white or black would swallow drawings of that colour
    background.alpha_composite(image)
    small = background.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    both = (pixels, pixels[:, ::-1])
    return PictureSummary(
        side_px=side_px,
        opaque=opaque,
        flat=flat,
        prints=(_print(both[0]), _print(both[1])),
        colours=(_colours(both[0]), _colours(both[1])),
    )


def check(looks: Sequence[PictureSummary], side_px: int = LEAST_SIDE_PX) -> list[Finding]:
    """All findings on pictures. ``side_px`` is the side that the base trains at."""
    return [*_number(looks), *_background(looks), *_small(looks, side_px), *_alike(looks)]


def _number(looks: Sequence[PictureSummary]) -> list[Finding]:
    least, most = ADVISED
    if len(looks) < least:
        return [Finding(code="few-pictures", severity="advice", detail=str(len(looks)))]
    if len(looks) > most:
        return [Finding(code="many-pictures", severity="advice", detail=str(len(looks)))]
    return []


def _background(looks: Sequence[PictureSummary]) -> list[Finding]:
    plain = tuple(n for n, look in enumerate(looks, start=1) if look.opaque and look.flat)
    busy = tuple(n for n, look in enumerate(looks, start=1) if look.opaque and not look.flat)
    found = []
    if plain:
        found.append(Finding(code="no-alpha", severity="advice", samples=plain))
    if busy:
        grave = severity(len(busy), len(looks))
        found.append(Finding(code="busy-background", severity=grave, samples=busy))
    return found


def _small(looks: Sequence[PictureSummary], side_px: int) -> list[Finding]:
    small = [(n, look.side_px) for n, look in enumerate(looks, start=1) if look.side_px < side_px]
    # Never more than advice: a look can be learned from a small picture, if not its sharpness.
    return [Finding(code="small-picture", severity="advice", samples=(n,), detail=str(px)) for n, px in small]


def _alike(looks: Sequence[PictureSummary]) -> list[Finding]:
    """One finding for each group of pictures of which each is like another one in it."""
    groups = list(range(len(looks)))
    for later in range(len(looks)):
        for earlier in range(later):
            if _same(looks[earlier], looks[later]):
                merged, old = groups[earlier], groups[later]
                groups = [merged if group == old else group for group in groups]
    members = [tuple(n for n, g in enumerate(groups, start=1) if g == group) for group in sorted(set(groups))]
    alike = [group for group in members if len(group) > 1]
    grave = severity(sum(map(len, alike)), len(looks))
    return [Finding(code="near-duplicates", severity=grave, samples=group) for group in alike]


def _same(one: PictureSummary, other: PictureSummary) -> bool:
    for mark, colours in zip(other.prints, other.colours, strict=True):
        apart = float(np.abs(one.colours[0] - colours).mean())
        bits = (one.prints[0] ^ mark).bit_count()
        if apart <= EQUAL_COLOUR or (bits <= SAME_BITS and apart <= SAME_COLOUR):
            return True
    return False


def _print(pixels: Floats) -> int:
    """A perceptual hash of 63 bits (pHash, Zauner 2010): which low frequencies are above their median."""
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    at = (2 * np.arange(_SIDE) + 1) * np.pi / (2 * _SIDE)
    waves = np.cos(np.outer(np.arange(_LOW), at))  # the first rows of a DCT-II
    low = (waves @ grey @ waves.T).flatten()[1:]  # without the mean
    bits = low > np.median(low)
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _colours(pixels: Floats) -> Floats:
    step = _SIDE // 4
    colours: Floats = pixels.reshape(4, step, 4, step, 3).mean(axis=(1, 3))
    return colours


def _flat(image: Image.Image) -> bool:
    """Whether the outermost pixels of an opaque picture are of one colour."""
    border = _border(image)
    return float(np.percentile(np.abs(border - np.median(border, axis=0)).max(axis=1), 90)) <= FLAT_SPREAD


def _drawn_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box of all that differs from the border's colour; None, which crops nothing, if all is of it."""
    background = np.median(_border(image), axis=0)
    differs = [
        band.point([255 * (abs(value - colour) > 2 * FLAT_SPREAD) for value in range(256)])
        for band, colour in zip(image.convert("RGB").split(), background, strict=True)
    ]
    return Image.merge("RGB", differs).getbbox()


def _border(image: Image.Image) -> Floats:
    """The outermost pixels [n, 3], 0 to 255."""
    width, height = image.size
    lines = (
        (0, 0, width, 1),
        (0, height - 1, width, height),
        (0, 0, 1, height),
        (width - 1, 0, width, height),
    )
    pixels = [np.asarray(image.crop(line).convert("RGB"), dtype=np.float64) for line in lines]
    return np.concatenate([line.reshape(-1, 3) for line in pixels])
