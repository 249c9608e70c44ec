"""Pictures from outside: judged by their header before anything is decoded, then opened as RGBA in sRGB."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFile, UnidentifiedImageError

from lora.data import colours, jpeg, png

MAX_BYTES = 20 * 1024 * 1024  # what Telegram lets a bot download
MAX_PIXELS = 16_000_000
MIN_SIDE = 64  # smaller ones have nothing to learn from
# Of 255. A pixel counts as visible if its alpha is above: programs that remove backgrounds leave a few pixels of
# alpha 1 or 2 far away from the drawing, which nobody sees.
FAINTEST_ALPHA = 8

FORMATS = ("PNG", "WEBP", "JPEG")
PICTURE_ERRORS = {
    "empty": "the file is empty",
    "too-many-bytes": "the file is over 20 MB",
    "format": "only PNG, WebP and JPEG pictures can be read",
    "animated": "animated pictures cannot be used",
    "too-many-pixels": "the picture has over 16 megapixels",
    "too-small": "the picture's shorter side is under 64 pixels",
    "damaged": "the picture is cut off or damaged",
    "blank": "nothing is visible in the picture: it is transparent all over",
}


class PictureError(Exception):
    """A picture cannot be used. ``code`` is a key of ``PICTURE_ERRORS``, ``detail`` a fact like a size."""

    def __init__(self, code: str, detail: str = "") -> None:
        assert code in PICTURE_ERRORS, code
        super().__init__(f"{PICTURE_ERRORS[code]}{f' ({detail})' if detail else ''}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class Info:
    """What a picture's header says. Sizes in pixels, after the camera's rotation is undone."""

    width: int
    height: int
    format: str  # PNG, WEBP or JPEG
    has_alpha: bool


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A file that is opened but not decoded, and what was taken out of it before."""

    data: bytes
    image: ImageFile.ImageFile
    profile: bytes  # ICC; empty if there is none
    animated: bool
    depth: int = 8  # these two are those of ``png.Png``
    key: tuple[int, ...] = ()


# One thread decodes at a time: 16 megapixels take up to 130 MB while they are decoded (WebP: 330 MB).
_DECODING = threading.Lock()
# What Pillow raises for files that are cut off or damaged. Its plug-ins differ.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    OverflowError,
)
ORIENTATION, SHORT = 0x0112, 3  # EXIF's number of the tag, and of its type
_TURNS = {  # EXIF's orientations, and what undoes them
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def check(data: bytes) -> Info:
    """Judge a picture by its header alone: no pixel is decoded. Raises PictureError."""
    return _info(_opened(data))


def open_rgba(data: bytes, enough_px: int | None = None) -> Image.Image:
    """Decode a picture as 8-bit RGBA in sRGB, upright. Raises PictureError, also for what only decoding can show.

    With ``enough_px`` it may come smaller, in whole parts of its size, its longer side not under ``enough_px``.
    """
    source = _opened(data)
    _info(source)
    turn = _TURNS.get(_orientation(source.image))
    with _DECODING:
        try:
            rgba = _rgba(source, enough_px)
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            raise PictureError("damaged") from error
        return rgba if turn is None else rgba.transpose(turn)


def visible_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box (left, top, right, bottom) of all visible pixels of an RGBA picture; None if there are none."""
    return image.getchannel("A").point(lambda alpha: 255 * (alpha > FAINTEST_ALPHA)).getbbox()


def _opened(data: bytes) -> _Source:
    """The lazily opened file, if it is one of the formats at all."""
    if not data:
        raise PictureError("empty")
    if len(data) > MAX_BYTES:
        raise PictureError("too-many-bytes", f"{len(data) / 2**20:.0f} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata help nobody here
            if data.startswith(png.SIGNATURE):
                return _opened_png(data)
            if data.startswith(jpeg.SIGNATURE):
                return _opened_jpeg(jpeg.without_metadata(data))
            if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
                return _opened_webp(data)
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels") from error
    except (*_DAMAGE, UnidentifiedImageError) as error:
        raise PictureError("damaged") from error
    raise PictureError("format")


def _opened_png(data: bytes) -> _Source:
    found = png.read(data)
    image = Image.open(io.BytesIO(found.data), formats=("PNG",))
    return _Source(
        data=found.data,
        image=image,
        profile=found.profile,
        animated=found.frames > 1,
        depth=found.depth,
        key=found.key,
    )


def _opened_jpeg(data: bytes) -> _Source:
    image = jpeg.opened(data)
    return _Source(data=data, image=image, profile=image.info.get("icc_profile") or b"", animated=False)


def _opened_webp(data: bytes) -> _Source:
    image = Image.open(io.BytesIO(data), formats=("WEBP",))
    animated = getattr(image, "is_animated", False)
    return _Source(data=data, image=image, profile=image.info.get("icc_profile") or b"", animated=animated)


def _info(source: _Source) -> Info:
    """Size, format and kind from the header, held against the limits."""
    width, height = source.image.size
    if 5 <= _orientation(source.image) <= 8:
        width, height = height, width
    if source.animated:
        raise PictureError("animated")
    if width * height > MAX_PIXELS:
        raise PictureError("too-many-pixels", f"{width} x {height}")
    if min(width, height) < MIN_SIDE:
        raise PictureError("too-small", f"{width} x {height}")
    has_alpha = bool(source.key) or "A" in source.image.getbands() or "transparency" in source.image.info
    return Info(width=width, height=height, format=str(source.image.format), has_alpha=has_alpha)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation: 1 for upright, from 5 on the picture lies on its side. Broken EXIF counts as upright.

    Pillow's own ``getexif`` would decode a whole PNG first, and warns about each odd tag.
    """
    exif = bytes(image.info.get("exif") or b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, value = struct.unpack_from(f"{order}HH4xH", exif, place)
            if (tag, kind) == (ORIENTATION, SHORT):
                return int(value)
    except struct.error:
        pass
    return 1


def _rgba(source: _Source, enough_px: int | None) -> Image.Image:
    """Decode, convert and shrink. What is no longer needed is freed at once: 16 megapixels are 64 MB each time."""
    low_bytes = _low_bytes_match(source) if source.depth == 16 and len(source.key) == 3 else None
    image = _loaded(source, enough_px)
    if source.key:
        hidden = _matches(image, source.key, source.depth)
        hidden = ImageChops.multiply(hidden, low_bytes) if low_bytes else hidden
        image = _replaced(image, _eight_bits(image))
        image.putalpha(ImageChops.invert(hidden))
    else:
        image = _replaced(image, _eight_bits(image))
    if "A" in image.getbands() and _max_alpha(image) <= FAINTEST_ALPHA:
        raise PictureError("blank")
    if enough_px:
        image = _replaced(image, _shrunk(image, max(image.size) // enough_px))
    if source.profile:
        image = _replaced(image, colours.to_srgb(image, source.profile))
    if image.mode == "RGB":
        image.putalpha(255)  # in place, for Pillow keeps RGB in four bytes as well
    if image is source.image or image.mode != "RGBA":
        image = _replaced(image, image.convert("RGBA"))
    image.info = {}
    return image


def _max_alpha(image: Image.Image) -> int:
    histogram = image.getchannel("A").histogram()
    return max(alpha for alpha, count in enumerate(histogram) if count)


def _replaced(old: Image.Image, new: Image.Image) -> Image.Image:
    """``new``; the pixels of ``old`` are freed, if it is another picture."""
    if new is not old:
        old.close()
    return new


def _loaded(source: _Source, enough_px: int | None) -> Image.Image:
    """The decoded pixels in the file's own mode. A JPEG may be decoded at a half, a quarter or an eighth."""
    image = source.image
    if image.format != "JPEG":
        image.load()
        return image
    scale = max(1, max(image.size) // enough_px) if enough_px else 1
    enough = (max(1, image.width // scale), max(1, image.height // scale))
    image.draft(None, enough)
    try:
        image.load()
    except OSError:
        mended = jpeg.ended(source.data)
        if mended is None:
            raise
        image = jpeg.opened(mended)
        image.draft(None, enough)
        image.load()
    return image


def _matches(image: Image.Image, key: tuple[int, ...], depth: int) -> Image.Image:
    """Where a picture has the colour ``key``: mode L, 255 there and 0 elsewhere."""
    if image.mode.startswith("I"):  # grey of 16 bits, the only one that Pillow keeps as such
        return Image.fromarray((np.asarray(image) == key[0]).astype(np.uint8) * 255)
    if depth == 16:
        key = tuple(value >> 8 for value in key)
    scale = 255 // (2**depth - 1) if depth < 8 else 1  # Pillow spreads 1, 2 and 4 bits over 0..255
    grey = image.convert("L") if image.mode == "1" else image
    found = Image.new("L", image.size, 255)
    for band, value in zip(grey.getbands(), key, strict=True):  # not split(): one band at a time is 16 MB
        equal = grey.getchannel(band).point([255 * (v == value * scale) for v in range(256)])
        found = ImageChops.multiply(found, equal)
    return found


def _low_bytes_match(source: _Source) -> Image.Image:
    """Where the low bytes of an RGB picture of 16 bits are those of its key.

    Pillow keeps the high bytes only. Told that the file was little-endian, it keeps the others.
    """
    with Image.open(io.BytesIO(source.data), formats=("PNG",)) as image:
        image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
        image.load()
        return _matches(image, tuple(value & 255 for value in source.key), 8)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Palette, 1-bit and 16-bit pictures as L, RGB or RGBA; others as they are."""
    if image.mode.startswith("I"):  # Pillow would clip 16 bits at 255 instead of scaling them
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image.convert("L")


def _shrunk(image: Image.Image, factor: int) -> Image.Image:
    """A picture at a whole part of its size, each pixel a mean, colours weighed by alpha.

    It is made strip by strip, for Pillow makes a whole copy of a picture with alpha before it reduces it.
    """
    if factor < 2:
        return image
    rows = 64 * factor
    small = Image.new(image.mode, (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        small.paste(strip.reduce(factor), (0, top // factor))
    return small
