"""JPEGs of phones and cameras: second pictures, segments of any kind, and files without their last bytes."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFile

from lora.data.pictures import PictureError, check, open_rgba
from tests.lora.data.files import encoded


def photo(width: int = 200, height: int = 120) -> Image.Image:
    """Shapes on a flat ground that goes down to the last row, as a truncation hides best there."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).ellipse((20, 10, 150, 90), fill=(200, 60, 20), outline="black", width=5)
    return image


KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "with restarts": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0, "quality": 100},
}


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def test_the_first_of_two_pictures() -> None:
    """A preview, depth or gain map behind the picture is no animation."""
    both = encoded(photo(), "MPO", save_all=True, append_images=[photo(64, 64)])
    assert getattr(Image.open(io.BytesIO(both)), "n_frames", 1) == 2
    info = check(both)
    assert (info.format, info.width, info.height) == ("JPEG", 200, 120)
    assert np.array_equal(np.asarray(open_rgba(both)), np.asarray(open_rgba(encoded(photo(), "JPEG"))))


@pytest.mark.parametrize(
    "beside",
    [
        segment(0xE2, b"MPF\0garbage"),
        segment(0xE0, b"JFIF\0"),
        segment(0xE1, b"Exif\0\0"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 60_000) * 40,
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"ICC_PROFILE\0\1\1garbage"),
        segment(0xED, b"Photoshop 3.0\x008BIM"),
        segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\1x"),
        segment(0xEE, b"Adobe"),
        segment(0xFE, b"words" * 9000),
        b"\xff\xff\xff" + segment(0xEC, b"fill bytes come before a marker"),
    ],
)
def test_metadata_segments_change_no_pixel(beside: bytes) -> None:
    """Broken or long, the pixels are those of the same file without them."""
    plain = encoded(photo(), "JPEG")
    data = plain[:2] + beside + plain[2:]
    assert np.array_equal(np.asarray(open_rgba(data)), np.asarray(open_rgba(plain)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lacking", [1, 2])
def test_without_an_end_mark_all_pixels_are_there(kind: str, lacking: int) -> None:
    """The two bytes at the end say nothing but that it is the end."""
    whole = encoded(photo(), "JPEG", **KINDS[kind])
    assert np.array_equal(np.asarray(open_rgba(whole[:-lacking])), np.asarray(open_rgba(whole)))
    assert np.array_equal(np.asarray(open_rgba(whole[:-lacking], 50)), np.asarray(open_rgba(whole, 50)))
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_off_jpeg_is_refused(kind: str) -> None:
    """A file that lacks only a few bytes of its pixels is refused, though what they show is white like the rest."""
    whole = encoded(photo(), "JPEG", **KINDS[kind])
    for length in [*range(len(whole) - 40, len(whole) - 4), *range(300, len(whole) - 40, 97)]:
        with pytest.raises(PictureError):
            open_rgba(whole[:length])


def test_a_progressive_file_lacks_its_last_scan() -> None:
    """It ends where a scan does, and still is not all there."""
    whole = encoded(photo(), "JPEG", progressive=True)
    with pytest.raises(PictureError, match="cut off"):
        open_rgba(whole[: whole.rindex(b"\xff\xda")])


@pytest.mark.parametrize(
    "segments", [b"\xff\xdb\0\2" * 1_000_000, b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0" * 100_000]
)
@pytest.mark.parametrize("place", ["in front", "behind"])
def test_files_with_millions_of_segments_are_refused(segments: bytes, place: str) -> None:
    """Millions of empty segments or scans are refused within a second."""
    plain = encoded(photo(), "JPEG")
    data = plain[:2] + segments + plain[2:] if place == "in front" else plain[:-2] + segments
    began = time.process_time()
    with pytest.raises(PictureError, match="cut off or damaged"):
        open_rgba(data)
    assert time.process_time() - began < 1
