"""Large pictures are decoded by another process: the same pixels, little memory here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from lora.data.pictures import PictureError, open_rgba
from lora.data.shrink import open_apart, shrunk
from tests.lora.data.files import encoded

MEASURE = r"""
import re, sys
from pathlib import Path
from lora.data.shrink import open_apart

def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

data, small = (Path(name).read_bytes() for name in sys.argv[1:])
open_apart(small, 256)  # loads the libraries
before = peak()
open_apart(data, 256)
print((peak() - before) / 1024)
"""
MOST_MB = 15


def test_the_copy_is_what_decoding_here_gives() -> None:
    """Sizes and pixels; a small picture is not touched."""
    image = Image.linear_gradient("L").resize((2400, 1200)).convert("RGBA")
    data = encoded(image)
    here, apart = open_rgba(data, 300), open_apart(data, 300)
    assert apart.size == here.size
    assert not ImageChops.difference(apart, here).getbbox()
    small = encoded(image.resize((200, 100)))
    assert shrunk(small, 64) is small


def test_a_narrow_picture_may_become_narrower_than_a_sample_may_be() -> None:
    """It was judged by its own size."""
    assert open_apart(encoded(Image.new("RGB", (16_000, 200), "red")), 64).size == (64, 1)


def test_a_fault_comes_back_as_it_was() -> None:
    """Cut off, and transparent all over."""
    data = encoded(Image.new("RGBA", (2000, 1500), "red"))
    with pytest.raises(PictureError) as damaged:
        open_apart(data[:-200], 64)
    assert damaged.value.code == "damaged"
    with pytest.raises(PictureError) as blank:
        open_apart(encoded(Image.new("RGBA", (2000, 1500))), 64)
    assert blank.value.code == "blank"


def test_it_takes_little_memory(tmp_path: Path) -> None:
    """A WebP of 16 megapixels took 250 MB."""
    (tmp_path / "large").write_bytes(encoded(Image.new("RGB", (4000, 4000), "red"), "WEBP", method=0))
    (tmp_path / "small").write_bytes(encoded(Image.new("RGB", (100, 100), "red"), "WEBP"))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "large"), str(tmp_path / "small")]
    assert float(subprocess.check_output(command, text=True)) < MOST_MB
