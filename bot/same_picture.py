"""Whether two sticker files show the same picture, although Telegram may have saved one of them anew."""

from __future__ import annotations

from PIL import ImageChops, ImageStat

from lora.data import pictures
from lora.data.pictures import PictureError

MOST_DIFFERENCE = 3.0  # of 255, mean over all pixels and channels


def same_picture(one: bytes, other: bytes) -> bool:
    """Whether they are equal, or differ by no more than saving as WebP changes."""
    if one == other:
        return True
    try:
        images = [pictures.open_rgba(data).convert("RGBa") for data in (one, other)]  # colour times alpha
    except PictureError:
        return False
    if images[0].size != images[1].size:
        return False
    channels = zip(images[0].split(), images[1].split(), strict=True)
    means = [ImageStat.Stat(ImageChops.difference(a, b)).mean[0] for a, b in channels]
    return sum(means) / len(means) <= MOST_DIFFERENCE
