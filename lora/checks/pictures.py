"""Quick checks of pictures: how many, how large, on which background, whether one is blank or two almost the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.checks.likeness import Likeness, likeness, near
from lora.checks.share import severity
from lora.data import pictures
from lora.jobs import Finding

ADVISED = (20, 50)
LEAST_SIDE_PX = 256  # what the smallest base trains at
FLAT_SPREAD = 12.0  # of 255: the border's usual distance from its median colour, JPEG's noise included
ENOUGH_PX = 1024  # of the longer side; the largest base trains at 768

Floats = NDArray[np.floating[Any]]
Decode = Callable[[bytes, int], Image.Image]


@dataclass(frozen=True, kw_only=True)
class PictureSummary:
    """What is remembered of a picture: small enough to keep a whole set of them."""

    side_px: int  # the longer one of the drawing, without what is transparent or of the background around it
    opaque: bool
    flat: bool  # whether an opaque picture's border is of one colour
    blank: bool  # whether the whole picture is of one colour, JPEG's noise left out, and nowhere more transparent
    likeness: Likeness = field(repr=False)


def summarise(picture: bytes, decode: Decode = pictures.open_rgba) -> PictureSummary:
    """Decode a picture and keep its summary. Raises PictureError.

    A large picture is shrunk as soon as it is decoded: ``side_px`` is then right to a few pixels.
    """
    info = pictures.check(picture)
    image = decode(picture, ENOUGH_PX)
    factor = max(info.width, info.height) / max(image.size)
    opaque = image.getchannel("A").getextrema()[0] == 255
    flat = opaque and _flat(image)
    blank = all(np.ptp(band.getextrema()) <= FLAT_SPREAD for band in image.split())
    seen = likeness(image)
    image = image.crop(_drawn_box(image) if flat else pictures.visible_box(image))
    side_px = round(max(image.size) * factor)
    return PictureSummary(side_px=side_px, opaque=opaque, flat=flat, blank=blank, likeness=seen)


def check(looks: Sequence[PictureSummary], side_px: int = LEAST_SIDE_PX) -> list[Finding]:
    """All findings on pictures. ``side_px`` is the side that the base trains at."""
    return [*_number(looks), *_blank(looks), *_background(looks), *_small(looks, side_px), *_alike(looks)]


def _number(looks: Sequence[PictureSummary]) -> list[Finding]:
    least, most = ADVISED
    if len(looks) < least:
        return [Finding(code="few-pictures", severity="advice", detail=str(len(looks)))]
    if len(looks) > most:
        return [Finding(code="many-pictures", severity="advice", detail=str(len(looks)))]
    return []


def _blank(looks: Sequence[PictureSummary]) -> list[Finding]:
    blank = tuple(n for n, look in enumerate(looks, start=1) if look.blank)
    grave = severity(len(blank), len(looks))
    return [Finding(code="blank-picture", severity=grave, samples=blank)] if blank else []


def _background(looks: Sequence[PictureSummary]) -> list[Finding]:
    """Of a blank picture there is nothing to say about the background."""
    plain = tuple(n for n, look in enumerate(looks, start=1) if look.opaque and look.flat and not look.blank)
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
            if near(looks[earlier].likeness, looks[later].likeness):
                merged, old = groups[earlier], groups[later]
                groups = [merged if group == old else group for group in groups]
    members = [tuple(n for n, g in enumerate(groups, start=1) if g == group) for group in sorted(set(groups))]
    alike = [group for group in members if len(group) > 1]
    grave = severity(sum(map(len, alike)), len(looks))
    return [Finding(code="near-duplicates", severity=grave, samples=group) for group in alike]


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
