"""Pictures from outside: what is refused, before which work, and what every accepted one becomes."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from lora.data.pictures import Info, PictureError, check, open_rgba

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


REFUSED = {
    "an empty file": (b"", "empty"),
    "text": (b"hello" * 100, "format"),
    "a GIF": (encoded(NOISE, "GIF"), "format"),
    "a TIFF": (encoded(NOISE, "TIFF"), "format"),
    "over 20 MB": (b"\x89PNG\r\n\x1a\n" + bytes(21 * 2**20), "too-many-bytes"),
    "20,000 x 20,000": (png_that_claims(20_000, 20_000), "too-many-pixels"),
    "4,001 x 4,000": (png_that_claims(4_001, 4_000), "too-many-pixels"),
    "63 px high": (encoded(NOISE.resize((300, 63)), "PNG"), "too-small"),
    "half a header": (encoded(NOISE, "PNG")[:20], "damaged"),
    "an animated WebP": (encoded(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)]), "animated"),
    "an animated PNG": (encoded(NOISE, "PNG", save_all=True, append_images=[NOISE.rotate(90)]), "animated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_by_the_header(name: str) -> None:
    """Each kind of unusable file has its own code, from the check and from the opening alike."""
    data, code = REFUSED[name]
    for judge in (check, open_rgba):
        with pytest.raises(PictureError) as refused:
            judge(data)
        assert refused.value.code == code


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_off_files_are_refused(kind: str, share: float) -> None:
    """A download that broke off is refused when it is opened, whatever its format."""
    data = encoded(NOISE, kind)
    with pytest.raises(PictureError) as refused:
        open_rgba(data[: int(len(data) * share)])
    assert refused.value.code == "damaged"


def test_check_decodes_nothing() -> None:
    """Judging a 16-megapixel picture takes next to no memory."""
    data = png_that_claims(4_000, 4_000)
    tracemalloc.start()
    info = check(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert info == Info(width=4_000, height=4_000, format="PNG", has_alpha=True)
    assert peak < 1_000_000


def test_fully_transparent_is_refused() -> None:
    """A picture without a visible pixel teaches nothing."""
    with pytest.raises(PictureError) as refused:
        open_rgba(encoded(Image.new("RGBA", (99, 99), (255, 0, 0, 0)), "PNG"))
    assert refused.value.code == "blank"


def test_camera_rotation_is_undone() -> None:
    """A phone's photo that lies on its side stands up, in the check and in the pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (200, 100), "white")
    image.paste("red", (0, 0, 200, 20))
    for kind in ("JPEG", "PNG", "WEBP"):
        data = encoded(image, kind, exif=exif)
        assert (check(data).width, check(data).height) == (100, 200)
        upright = open_rgba(data)
        assert upright.size == (100, 200)
        assert upright.getpixel((95, 100))[1] < 60  # what was on top is on the right now
        assert upright.getpixel((5, 100))[1] > 200


def test_all_kinds_of_pixels_become_rgba() -> None:
    """Palette, grey, 16-bit, CMYK and keyed transparency all end as 8-bit RGBA of the same look."""
    sixteen = Image.fromarray(np.full((100, 100), 40_000, np.uint16))
    assert open_rgba(encoded(sixteen, "PNG")).getpixel((5, 5)) == (155, 155, 155, 255)
    cmyk = Image.new("RGB", (100, 100), (200, 30, 30)).convert("CMYK")
    red = np.asarray(open_rgba(encoded(cmyk, "JPEG")))[5, 5].astype(int)
    assert np.abs(red - (200, 30, 30, 255)).max() < 12
    keyed = Image.new("RGB", (100, 100), (1, 2, 3))
    keyed.paste((9, 9, 9), (0, 0, 50, 100))
    data = encoded(keyed, "PNG", transparency=(1, 2, 3))
    assert check(data).has_alpha
    assert open_rgba(data).getpixel((80, 5))[3] == 0
    palette = encoded(keyed.quantize(2), "PNG")
    assert open_rgba(palette).getpixel((5, 5)) == (9, 9, 9, 255)
    for mode in ("L", "LA", "1", "RGBA"):
        assert open_rgba(encoded(NOISE.convert(mode), "PNG")).mode == "RGBA"
    assert not check(encoded(NOISE, "JPEG")).has_alpha


def test_broken_metadata_is_no_reason_to_refuse() -> None:
    """Garbage where EXIF should be leaves the picture usable."""
    data = encoded(NOISE, "JPEG", exif=b"Exif\0\0garbage that is no EXIF at all")
    assert open_rgba(data).size == (300, 200)
