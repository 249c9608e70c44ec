"""How much memory and time the largest allowed pictures take, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.lora.data.files import RGB, chunk, encoded, png

MOST_MB = 150
MOST_MB_WEBP = 265  # Pillow's only decoder of WebP keeps two canvases and copies one twice
MOST_SECONDS = 2.0  # of work; waiting for a core does not count

MEASURE = r"""
import re, sys, time
from pathlib import Path
from lora.checks.pictures import summarise

def peak():  # in kB; getrusage would count what the parent had when this process began
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

data, small = (Path(name).read_bytes() for name in sys.argv[1:])
summarise(small)  # loads the libraries
before, began = peak(), time.process_time()
summary = summarise(data)
seconds = time.process_time() - began
print((peak() - before) / 1024, seconds, summary.side_px)
"""


def large() -> Image.Image:
    """16 megapixels, flat as a drawing is, with a shape of 2000 px in the middle."""
    image = Image.new("RGBA", (4000, 4000))
    image.paste((200, 60, 20, 255), (1000, 1000, 3000, 3000))
    return image


def noise() -> Image.Image:
    half = np.random.default_rng(0).integers(0, 255, (1000, 4000, 3), dtype=np.uint8)
    return Image.fromarray(np.concatenate([half] * 4))


def keyed_sixteen() -> bytes:
    samples = np.full((4000, 4000, 3), 500, dtype=np.uint16)
    samples[1000:3000, 1000:3000] = 40_000
    return png(samples, 16, RGB, chunk(b"tRNS", b"\1\xf4" * 3))


FILES = {
    "WEBP": lambda: encoded(large(), "WEBP", quality=50, method=0),
    "RGBA": lambda: encoded(large()),
    "RGB of 16 bits with a key": keyed_sixteen,
    "progressive JPEG": lambda: encoded(noise(), "JPEG", quality=80, progressive=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_check_of_16_megapixels(kind: str, tmp_path: Path) -> None:
    """It takes little more than the decoded pixels, which are 64 MB in Pillow whether they have alpha or not."""
    (tmp_path / "large").write_bytes(FILES[kind]())
    (tmp_path / "small").write_bytes(encoded(large().resize((100, 100))))
    arguments = [sys.executable, "-c", MEASURE, str(tmp_path / "large"), str(tmp_path / "small")]
    megabytes, seconds, side_px = map(float, subprocess.check_output(arguments, text=True).split())
    print(f"{kind}: {megabytes:.0f} MB, {seconds:.2f} s")
    assert megabytes < (MOST_MB_WEBP if "WEBP" in kind else MOST_MB)
    assert seconds < MOST_SECONDS
    assert abs(side_px - (4000 if "JPEG" in kind else 2000)) <= 8
