"""A large picture made small by a process of its own: what its decoder takes is given back when it ends.

    python -m lora.data.shrink PX < picture > picture.png

A WebP of 16 megapixels takes 250 MB while it is decoded. Exit code 1 says that the picture cannot be used; stdout then
holds the ``PictureError``'s code and detail, one on each line.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys

from PIL import Image

from lora.data import pictures
from lora.data.pictures import PictureError

LARGE_PIXELS = 2_000_000  # larger ones are decoded elsewhere; starting the process takes about 0.2 s
CPU_SECONDS = 20
SECONDS = 60.0  # on a busy machine
UNUSABLE = 1  # exit code


def shrunk(data: bytes, enough_px: int) -> bytes:
    """The picture itself, or of a large one a PNG whose longer side is not under ``enough_px``.

    It blocks until the process has ended. Raises PictureError, also if the process was killed.
    """
    info = pictures.check(data)
    if info.width * info.height <= LARGE_PIXELS:
        return data
    command = [sys.executable, "-m", "lora.data.shrink", str(enough_px)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS)  # noqa: S603 - our own
    except subprocess.TimeoutExpired:
        raise PictureError("damaged") from None
    if done.returncode == UNUSABLE and done.stdout:
        code, _, detail = done.stdout.decode().partition("\n")
        raise PictureError(code, detail)
    if done.returncode:
        raise PictureError("damaged")
    return done.stdout


def open_apart(data: bytes, enough_px: int) -> Image.Image:
    """As ``pictures.open_rgba``, but a large picture is decoded by a process of its own. Raises PictureError."""
    copy = shrunk(data, enough_px)
    if copy is data:
        return pictures.open_rgba(data, enough_px)
    return Image.open(io.BytesIO(copy), formats=("PNG",)).convert("RGBA")


def main() -> int:
    """Shrink stdin; gives the exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        small = pictures.open_rgba(sys.stdin.buffer.read(), int(sys.argv[1]))
    except PictureError as error:
        sys.stdout.write(f"{error.code}\n{error.detail}")
        return UNUSABLE
    out = io.BytesIO()
    small.save(out, "PNG", compress_level=1)
    sys.stdout.buffer.write(out.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
