"""Whether two files show the same picture, although Telegram may have saved one of them anew."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageStat

from lora.data import pictures
from lora.data.shrink import open_apart

MAX_SIDE = 512  # px; no sticker is larger
MOST_DIFFERENCE = 3.0  # of 255, mean over all pixels and channels
SIDE_PX, BLOCK_PX = 64, 4  # of a look, and of the blocks in which looks are compared
ENOUGH_PX = 4 * SIDE_PX  # of a picture whose look is taken
MOST_BLOCK_DIFFERENCE = 12.0  # of 255; another mouth or another eye is more in its block
MOST_STRETCH = 0.03  # of the ratio of the sides, which rounding changes


@dataclass(frozen=True, kw_only=True)
class Look:
    """A picture made small, to be compared with many others."""

    ratio: float  # width / height
    opaque: bool
    pixels: NDArray[np.uint8] = field(repr=False)  # [64, 64, 4], colours times alpha


def sticker_image(data: bytes) -> Image.Image:
    """A sticker's file as an RGBA picture; it may be a few pixels wide. Raises OSError, ValueError, SyntaxError."""
    with Image.open(io.BytesIO(data), formats=("WEBP", "PNG")) as image:
        if max(image.size) > MAX_SIDE:
            raise ValueError(f"no sticker has {image.size[0]} x {image.size[1]} px")
        return image.convert("RGBA")


def same_picture(one: bytes, other: bytes) -> bool:
    """Whether they are equal, or differ by no more than saving as WebP changes."""
    if one == other:
        return True
    try:
        images = [sticker_image(data).convert("RGBa") for data in (one, other)]  # colour times alpha
    except (OSError, ValueError, SyntaxError):
        return False
    if images[0].size != images[1].size:
        return False
    channels = zip(images[0].split(), images[1].split(), strict=True)
    means = [ImageStat.Stat(ImageChops.difference(a, b)).mean[0] for a, b in channels]
    return sum(means) / len(means) <= MOST_DIFFERENCE


def look(data: bytes) -> Look:
    """The look of a picture. Raises PictureError."""
    info = pictures.check(data)
    image = open_apart(data, ENOUGH_PX)
    small = image.convert("RGBa").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return Look(
        ratio=info.width / info.height,
        opaque=image.getchannel("A").getextrema()[0] == 255,
        pixels=np.asarray(small),
    )


def same_look(one: Look, other: Look) -> bool:
    """Whether one picture may be the other one sent another way: other size, other format, on white as a photo is."""
    if abs(one.ratio / other.ratio - 1) > MOST_STRETCH:
        return False
    a, b = (_seen(look, on_white=one.opaque != other.opaque) for look in (one, other))
    apart = np.abs(a - b).max(axis=2)
    blocks = apart.reshape(SIDE_PX // BLOCK_PX, BLOCK_PX, SIDE_PX // BLOCK_PX, BLOCK_PX).mean(axis=(1, 3))
    return bool(apart.mean() <= MOST_DIFFERENCE and blocks.max() <= MOST_BLOCK_DIFFERENCE)


def _seen(look: Look, *, on_white: bool) -> NDArray[np.int16]:
    pixels = look.pixels.astype(np.int16)
    return pixels[..., :3] + 255 - pixels[..., 3:] if on_white else pixels
