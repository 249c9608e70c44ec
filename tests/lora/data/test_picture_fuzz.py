"""Mutated pictures end in a picture or in a PictureError, soon."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from PIL import Image

from lora.checks.pictures import summarise
from lora.data.pictures import PictureError, check, open_rgba
from tests.lora.data.files import P3, chunk, encoded, rgb_profile, with_chunks

CASES = 300
MOST_SECONDS = 5.0


def seeds() -> list[bytes]:
    """Small files of each format with what can stand beside a picture."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 90, 4), dtype=np.uint8))
    rgb, profile = noise.convert("RGB"), rgb_profile(P3)
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        with_chunks(encoded(noise, icc_profile=profile, exif=exif), chunk(b"tEXt", b"Comment\0words")),
        encoded(rgb.quantize(16), transparency=3),
        encoded(rgb, transparency=(1, 2, 3)),
        encoded(Image.fromarray(np.arange(6400, dtype=np.uint16).reshape(80, 80)), transparency=77),
        encoded(rgb, "JPEG", icc_profile=profile, exif=exif),
        encoded(rgb, "JPEG", progressive=True),
        encoded(rgb, "MPO", save_all=True, append_images=[rgb]),
        encoded(rgb.convert("CMYK"), "JPEG"),
        encoded(noise, "WEBP", icc_profile=profile, exif=exif),
        encoded(noise, "WEBP", lossless=True),
        encoded(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)]),
    ]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One to four changes: bits turned, bytes set, parts cut, doubled or moved, lengths set to extremes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not changed:
            break
        first = min(len(changed) - 1, rng.choice((rng.randrange(200), rng.randrange(len(changed)))))
        last = min(len(changed), first + rng.choice((1, 2, 4, 12, 200)))
        match rng.randrange(6):
            case 0:
                changed[first] ^= 1 << rng.randrange(8)
            case 1:
                changed[first:last] = rng.randbytes(last - first)
            case 2:
                del changed[first:last]
            case 3:
                changed[first:first] = changed[first:last]
            case 4:
                changed[first:last] = rng.choice((b"\0", b"\xff", b"\x7f")) * (last - first)
            case _:
                del changed[max(64, first) :]
    return bytes(changed)


@pytest.mark.filterwarnings("error")
def test_mutated_pictures_end_in_a_picture_or_an_error() -> None:
    """No other exception, no warning, nothing that takes long; and a picture that is taken can be checked."""
    rng, files, taken = random.Random(7), seeds(), 0
    for number in range(CASES):
        data = mutated(files[number % len(files)], rng)
        began = time.process_time()
        try:
            check(data)
            image = open_rgba(data)
            summarise(data)
        except PictureError:
            continue
        finally:
            assert time.process_time() - began < MOST_SECONDS, number
        taken += 1
        assert image.mode == "RGBA"
    assert CASES / 10 < taken < CASES * 9 / 10  # the mutations are neither harmless nor all deadly
