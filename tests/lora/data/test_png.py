"""What is written beside a PNG's picture is no reason to refuse it, and its transparent colour is kept."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lora.data.pictures import PictureError, check, open_rgba
from tests.lora.data.files import (
    GREY,
    PALETTE,
    RGB,
    SRGB,
    chunk,
    encoded,
    iccp,
    png,
    rgb_profile,
    with_chunks,
)

PLAIN = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 90, 4), dtype=np.uint8)))
LONG = b"x" * 2_000_000
BESIDE = {
    "a long zTXt": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
    "a long iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LONG)),
    "a long tEXt": chunk(b"tEXt", b"Comment\0" + LONG),
    "much text in many chunks": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG[:900_000])) * 90,
    "a zTXt of an unknown method": chunk(b"zTXt", b"Comment\0\7abc"),
    "an iTXt that cannot be unpacked": chunk(b"iTXt", b"Comment\0\1\0\0\0not packed"),
    "a long profile": iccp(rgb_profile(SRGB) + LONG),
    "a profile over all limits": iccp(bytes(50_000_000)),
    "a profile of an unknown method": iccp(rgb_profile(SRGB), method=9),
    "a profile that cannot be unpacked": chunk(b"iCCP", b"name\0\0not packed"),
    "an empty profile": chunk(b"iCCP", b""),
    "a profile with a wrong checksum": chunk(b"iCCP", b"name\0\0", checksum=1),
    "a time with a wrong checksum": chunk(b"tIME", bytes(7), checksum=1),
    "an EXIF with a wrong checksum": chunk(b"eXIf", b"MM\0*" + bytes(20), checksum=1),
    "a short gAMA": chunk(b"gAMA", b"\0"),
    "a short cHRM": chunk(b"cHRM", b"\0"),
    "a short pHYs": chunk(b"pHYs", b"\0"),
    "a short sRGB": chunk(b"sRGB", b""),
    "a chunk that nobody knows": chunk(b"npTc", bytes(9)),
    "an acTL of one frame": chunk(b"acTL", struct.pack(">II", 1, 0)),
    "an acTL of no frames": chunk(b"acTL", bytes(8)),
    "a short acTL": chunk(b"acTL", b"\0"),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_beside_the_picture_is_left_out(name: str) -> None:
    """The pixels are those of the same file without the chunk."""
    data = with_chunks(PLAIN, BESIDE[name])
    assert np.array_equal(np.asarray(open_rgba(data)), np.asarray(open_rgba(PLAIN)))
    assert check(data) == check(PLAIN)


def test_text_behind_the_pixels() -> None:
    """Programs write it there as well, and some append bytes of their own."""
    data = PLAIN[:-12] + BESIDE["a long zTXt"] + chunk(b"eXIf", b"garbage") + PLAIN[-12:] + b"more"
    assert np.array_equal(np.asarray(open_rgba(data)), np.asarray(open_rgba(PLAIN)))


def test_a_missing_end_is_no_fault() -> None:
    """All pixels are there; without the last of them the file is refused."""
    assert np.array_equal(np.asarray(open_rgba(PLAIN[:-12])), np.asarray(open_rgba(PLAIN)))
    with pytest.raises(PictureError, match="cut off"):
        open_rgba(PLAIN[:-200])


def test_an_animation_is_seen_before_its_pixels() -> None:
    """Two frames are an animation, wherever the frames are."""
    with pytest.raises(PictureError, match="animated"):
        check(with_chunks(PLAIN, chunk(b"acTL", struct.pack(">II", 2, 0))))


def test_exif_behind_the_pixels_turns_the_picture() -> None:
    """The check and the opening agree."""
    exif = Image.Exif()
    exif[0x0112] = 8
    data = PLAIN[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + PLAIN[-12:]
    assert (check(data).width, check(data).height) == open_rgba(data).size == (70, 90)


def squares(depth: int, channels: int) -> np.ndarray:
    """All kinds of samples of a depth [64, 64, channels], each one several times beside others."""
    values: np.ndarray = np.random.default_rng(depth).integers(
        0, 2**depth, (64, 64, channels), dtype=np.uint32
    )
    if depth > 8:  # near colours, of which some share the high byte and others the low one
        values = values & 0x0303 | 0x1200
    elif depth == 8:
        values = values & 3
    return values


@pytest.mark.parametrize(
    ("depth", "colour_type"), [(d, GREY) for d in (1, 2, 4, 8, 16)] + [(8, RGB), (16, RGB)]
)
@pytest.mark.parametrize("odd_bits", [0, 1])
def test_a_keyed_colour_is_transparent(depth: int, colour_type: int, odd_bits: int) -> None:
    """Alpha is 0 where all samples are the key's at full depth, 255 elsewhere; bits above the depth do not count."""
    channels = 3 if colour_type == RGB else 1
    samples = squares(depth, channels)
    key = samples[5, 7]
    truth = np.where((samples == key).all(axis=2), 0, 255)
    assert 0 < (truth == 0).sum() < truth.size / 2 + 500
    written = [int(value) | (odd_bits << 15 if depth < 16 else 0) for value in key]
    data = png(samples, depth, colour_type, chunk(b"tRNS", struct.pack(f">{channels}H", *written)))
    found = np.asarray(open_rgba(data))
    assert np.array_equal(found[..., 3], truth)
    assert check(data).has_alpha
    shown = samples * 255 // (2**depth - 1)
    assert np.abs(found[..., :3].astype(int) - shown).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_has_any_alpha(depth: int) -> None:
    """Each entry of a palette has its own alpha; those beyond the end of the list are opaque."""
    samples = squares(depth, 1) if depth < 8 else squares(8, 1) * 60
    palette = np.random.default_rng(1).integers(0, 255, (2**depth, 3), dtype=np.uint8)
    alphas = np.array([77, 0, 200, 9][: 2**depth], dtype=np.uint8)
    chunks = (chunk(b"PLTE", palette.tobytes()), chunk(b"tRNS", alphas.tobytes()))
    found = np.asarray(open_rgba(png(samples, depth, PALETTE, *chunks)))
    index = samples[..., 0]
    assert np.array_equal(found[..., :3], palette[index])
    assert np.array_equal(found[..., 3], np.append(alphas, [255] * 256)[index])


@pytest.mark.parametrize("key", [b"", b"\0", b"\0\1\0"])
def test_a_key_that_is_too_short_is_ignored(key: bytes) -> None:
    """As libpng does."""
    data = png(squares(8, 3), 8, RGB, chunk(b"tRNS", key))
    assert np.asarray(open_rgba(data))[..., 3].min() == 255
