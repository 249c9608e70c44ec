"""Whether two files show the same picture, although Telegram may have saved one of them anew."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageStat

MAX_SIDE = 512  # px; no sticker is larger
MOST_DIFFERENCE = 3.0  # of 255, mean over all pixels and channels


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
