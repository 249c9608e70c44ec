"""A still picture of a sticker that moves, decoded apart."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lora.data import webm
from lora.data.webm import WebmError
from tests.moving import VIDEO, animated, fading_in


def decoded(data: bytes, moves: str) -> tuple[int, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "lora.data.first_frame", moves], input=data, capture_output=True, check=False
    )
    return done.returncode, done.stdout


def colours(data: bytes, moves: str) -> list[tuple[int, ...]]:
    """Of a corner and of the middle."""
    code, picture = decoded(data, moves)
    assert code == 0
    image = Image.open(io.BytesIO(picture))
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (512, 512))
    pixels = np.asarray(image)
    return [tuple(pixels[y, x].tolist()) for x, y in ((4, 4), (256, 300))]


def is_orange(pixel: tuple[int, ...]) -> bool:
    red, green, blue, alpha = pixel
    return red > 220 and 100 < green < 150 and blue < 50 and alpha == 255


def test_a_video_sticker_keeps_its_transparency() -> None:
    """VP9 with its second stream for alpha."""
    corner, middle = colours(VIDEO, "video")
    assert corner[3] == 0
    assert is_orange(middle)


@pytest.mark.parametrize("data", [animated(), fading_in()])
def test_an_animated_sticker(data: bytes) -> None:
    """One that fades in is taken where something is to be seen."""
    pytest.importorskip("thorvg_cython")
    corner, middle = colours(data, "animated")
    assert corner[3] == 0
    assert middle[3] > 127


def test_what_cannot_be_decoded() -> None:
    """Exit code 1 and no picture: rubbish, cut off, a bomb, and an animation that shows nothing."""
    pytest.importorskip("thorvg_cython")
    assert decoded(b"no video", "video") == (1, b"")
    assert decoded(VIDEO[:300], "video") == (1, b"")
    assert decoded(b"no gzip", "animated") == (1, b"")
    assert decoded(gzip.compress(b" " * 50_000_000), "animated") == (1, b"")
    assert decoded(animated(opacity=0), "animated") == (1, b"")


def test_a_damaged_webm_is_an_error_of_its_own() -> None:
    """Whatever bytes are changed or cut off, no other exception escapes, and reading ends."""
    rng = random.Random(3)
    assert len(webm.read(VIDEO).frames) == len(webm.read(VIDEO).alpha) == 3
    for _ in range(2000):
        broken = bytearray(VIDEO[: rng.randrange(1, len(VIDEO))])
        for _ in range(rng.randrange(4)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with contextlib.suppress(WebmError):
            webm.read(bytes(broken))
