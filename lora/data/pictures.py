"""Pictures from outside: judged by their header before anything is decoded, then opened as RGBA."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 20 * 1024 * 1024  # what Telegram lets a bot download
MAX_PIXELS = 16_000_000
MIN_SIDE = 64  # smaller ones have nothing to learn from

FORMATS = ("PNG", "WEBP", "JPEG")
PICTURE_ERRORS = {
    "empty": "the file is empty",
    "too-many-bytes": "the file is over 20 MB",
    "format": "only PNG, WebP and JPEG pictures can be read",
    "animated": "animated pictures cannot be used",
    "too-many-pixels": "the picture has over 16 megapixels",
    "too-small": "the picture's shorter side is under 64 pixels",
    "damaged": "the picture is cut off or damaged",
    "blank": "the picture is fully transparent",
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


def check(data: bytes) -> Info:
    """Judge a picture by its header alone: no pixel is decoded. Raises PictureError."""
    with _opened(data) as image:
        return _info(image)


def open_rgba(data: bytes) -> Image.Image:
    """Decode a picture as 8-bit RGBA, upright. Raises PictureError, also for what only decoding can show."""
    with _opened(data) as image:
        _info(image)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata help nobody here
                image.load()
                rgba = _eight_bit_rgba(ImageOps.exif_transpose(image))
        except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
            raise PictureError("damaged") from error
    if rgba.getchannel("A").getextrema()[1] == 0:
        raise PictureError("blank")
    return rgba


def _opened(data: bytes) -> Image.Image:
    """The lazily opened file, if it is one of the formats at all."""
    if not data:
        raise PictureError("empty")
    if len(data) > MAX_BYTES:
        raise PictureError("too-many-bytes", f"{len(data) / 2**20:.0f} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError("too-many-pixels") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error) as error:
        known = data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or data[8:12] == b"WEBP"
        raise PictureError("damaged" if known else "format") from error


def _info(image: Image.Image) -> Info:
    """Size, format and kind from the header, held against the limits."""
    width, height = image.size
    if _lies_on_its_side(image):
        width, height = height, width
    if getattr(image, "is_animated", False):
        raise PictureError("animated")
    if width * height > MAX_PIXELS:
        raise PictureError("too-many-pixels", f"{width} x {height}")
    if min(width, height) < MIN_SIDE:
        raise PictureError("too-small", f"{width} x {height}")
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    return Info(width=width, height=height, format=str(image.format), has_alpha=has_alpha)


def _lies_on_its_side(image: Image.Image) -> bool:
    """Whether EXIF asks for a quarter turn. Pillow's own getexif() would decode a whole PNG first."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return int(exif.get(0x0112, 1)) >= 5
    except (OSError, ValueError, SyntaxError, TypeError, struct.error):
        return False  # broken metadata is no reason to refuse a picture


def _eight_bit_rgba(image: Image.Image) -> Image.Image:
    """Palette, grey, CMYK and 16-bit pictures as 8-bit RGBA."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it at 255 instead of scaling it
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    if image.mode == "RGBA":
        return image
    return image.convert("RGBA")
