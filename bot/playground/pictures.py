"""What Telegram does to pictures: it checks their header, stores photos as JPEG and stickers as WebP."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass, field

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.playground import limits
from bot.playground.limits import bad_request

FORMATS = ("PNG", "WEBP", "JPEG")
SUFFIXES = {"PNG": "png", "WEBP": "webp", "JPEG": "jpg"}
BROKEN = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded picture and its size in pixels."""

    data: bytes = field(repr=False)
    format: str  # PNG, WEBP or JPEG
    width: int
    height: int


def photo_sizes(data: bytes) -> list[Picture]:
    """A photo as Telegram keeps it: JPEGs without alpha (on white), smallest first."""
    if len(data) > limits.PHOTO_BYTES:
        raise bad_request(f"file is too big, maximum photo size is {limits.PHOTO_BYTES >> 20} MB")
    with _opened(data) as image:
        if sum(image.size) > limits.PHOTO_SIDES_SUM or max(image.size) > limits.PHOTO_RATIO * min(image.size):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        flat = _on_white(_decoded(image))
    largest = min(max(flat.size), limits.PHOTO_SIZES[-1])
    sides = [side for side in limits.PHOTO_SIZES if side < largest]
    return [_jpeg(flat, side) for side in [*sides, largest]]


def static_sticker(data: bytes) -> Picture:
    """A bot's PNG or WebP as the WebP of a sticker, if it obeys the rules for stickers in sets."""
    if len(data) > limits.STICKER_BYTES:
        raise bad_request("file is too big")
    picture = _still(data)
    longer, shorter = max(picture.width, picture.height), min(picture.width, picture.height)
    if longer != limits.STICKER_SIDE or shorter < 1:
        raise bad_request("STICKER_PNG_DIMENSIONS")
    return picture if picture.format == "WEBP" else _webp(picture.data)


def emoji(data: bytes) -> Picture:
    """A bot's PNG or WebP as the WebP of a custom emoji: exactly 100 x 100 px."""
    if len(data) > limits.EMOJI_BYTES:
        raise bad_request("file is too big")
    return _square(data, limits.EMOJI_SIDE, "STICKER_PNG_DIMENSIONS")


def sticker_or_emoji(data: bytes) -> Picture:
    """A file that a set of either type takes: which one is not known when it is uploaded."""
    side = (limits.EMOJI_SIDE, limits.EMOJI_SIDE)
    return emoji(data) if size_of(data) == side else static_sticker(data)


def thumbnail(data: bytes) -> Picture:
    """A set's thumbnail as WebP: exactly 100 x 100 px."""
    if len(data) > limits.THUMBNAIL_BYTES:
        raise bad_request("STICKER_THUMB_PNG_BIG")
    return _square(data, limits.THUMBNAIL_SIDE, "STICKER_THUMB_PNG_DIMENSIONS")


def _square(data: bytes, side: int, otherwise: str) -> Picture:
    """A WebP of exactly this size. Raises ApiError ``otherwise``."""
    picture = _still(data)
    if (picture.width, picture.height) != (side, side):
        raise bad_request(otherwise)
    return picture if picture.format == "WEBP" else _webp(picture.data)


def sent_sticker(data: bytes) -> Picture:
    """A bot's file for sendSticker, which takes WebP only and any size up to 512 px."""
    picture = _still(data)
    if picture.format != "WEBP" or max(picture.width, picture.height) > limits.STICKER_SIDE:
        raise bad_request("wrong file type")
    return picture


def made_sticker(data: bytes) -> Picture:
    """A person's picture as a Telegram app turns it into a sticker: WebP, longer side 512 px, alpha kept."""
    with _opened(data) as image:
        if image.size[0] * image.size[1] > 50_000_000:
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        rgba = _decoded(image).convert("RGBA")
    scale = limits.STICKER_SIDE / max(rgba.size)
    width, height = (max(1, round(side * scale)) for side in rgba.size)
    for quality in (95, 85, 70, 50, 25):
        out = io.BytesIO()
        rgba.resize((width, height), Image.Resampling.LANCZOS).save(out, "WEBP", quality=quality)
        if out.tell() <= limits.STICKER_BYTES:
            break
    return Picture(data=out.getvalue(), format="WEBP", width=width, height=height)


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header, or None for what is no picture at all."""
    try:
        with _lazily(data) as image:
            return image.size
    except BROKEN:
        return None


def _still(data: bytes) -> Picture:
    with _opened(data) as image:
        if getattr(image, "is_animated", False) or image.format == "JPEG":
            raise bad_request("STICKER_PNG_NOPNG")
        width, height = image.size
        if max(width, height) <= limits.STICKER_SIDE:
            _decoded(image)  # a cut-off file is refused here, never decoded when it is large
        return Picture(data=data, format=str(image.format), width=width, height=height)


def _opened(data: bytes) -> Image.Image:
    """The lazily opened file; its size is known, no pixel has been decoded."""
    try:
        return _lazily(data)
    except Image.DecompressionBombError:
        raise bad_request("PHOTO_INVALID_DIMENSIONS") from None
    except BROKEN:
        raise bad_request("IMAGE_PROCESS_FAILED") from None


def _lazily(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sizes are judged before decoding
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ValueError("no picture") from error


def _decoded(image: Image.Image) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            return ImageOps.exif_transpose(image)
    except BROKEN:
        raise bad_request("IMAGE_PROCESS_FAILED") from None


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    background = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(background, rgba).convert("RGB")


def _jpeg(image: Image.Image, longer: int) -> Picture:
    scale = longer / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    out = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=87)
    return Picture(data=out.getvalue(), format="JPEG", width=width, height=height)


def _webp(data: bytes) -> Picture:
    with _opened(data) as image:
        rgba = _decoded(image).convert("RGBA")
    out = io.BytesIO()
    rgba.save(out, "WEBP", quality=95)
    return Picture(data=out.getvalue(), format="WEBP", width=rgba.width, height=rgba.height)
