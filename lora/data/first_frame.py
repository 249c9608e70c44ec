"""The first picture of a sticker that moves, as PNG: a program of its own, so that no decoder can harm the bot.

    python -m lora.data.first_frame video|animated < sticker > picture.png

``video`` is a .webm, whose VP9 OpenCV decodes. ``animated`` is a .tgs, which needs the optional package thorvg-cython.
A sticker may fade in: then the first picture that shows something is taken. Exit code 1 says that there is none,
2 that a package is missing.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.data import webm

MAX_BYTES = 2**20  # Telegram allows 256 KiB of video and 64 KiB of animation
MAX_UNPACKED = 2**23  # bytes of an animation's JSON
MAX_SIDE = 2048  # px; Telegram's are 512
SIDE = 512  # px of an animation's picture
LOOKS = 8  # how many moments of an animation are looked at
CPU_SECONDS = 20
SHOWN_SHARE = 0.01  # of the pixels, that are not transparent

Pixels = NDArray[np.uint8]


def main() -> int:
    """Decode stdin; gives the exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return 1
    try:
        found = first_shown(sys.argv[1], data)
    except ImportError:
        return 2
    except (webm.WebmError, ValueError, zlib.error):
        return 1
    if found is None:
        return 1
    out = io.BytesIO()
    Image.fromarray(found, "RGBA").save(out, "PNG")
    sys.stdout.buffer.write(out.getvalue())
    return 0


def first_shown(kind: str, data: bytes) -> Pixels | None:
    """The first picture that shows something, RGBA [H, W, 4]; None if none does.

    Raises WebmError, ValueError, zlib.error for what cannot be read.
    """
    pictures = _video(data) if kind == "video" else _animation(data)
    return next((one for one in pictures if (one[..., 3] > 127).mean() >= SHOWN_SHARE), None)


def _video(data: bytes) -> Iterator[Pixels]:
    """The pictures of a WebM, one by one."""
    video = webm.read(data)
    if max(video.width, video.height) > MAX_SIDE:
        return
    colours = _decoded(video.ivf(video.frames))
    alphas = _decoded(video.ivf(video.alpha)) if video.alpha else None
    for colour in colours:
        rgb = colour[..., ::-1]  # OpenCV gives BGR
        # The decoder takes brightness from 16 to 235 for black to white, so edges come out a little harder.
        alpha = next(alphas, None) if alphas else np.full_like(rgb, 255)
        if alpha is None or alpha.shape != rgb.shape:
            return
        yield np.concatenate([rgb, alpha[..., :1]], axis=2)


def _decoded(ivf: bytes) -> Iterator[Pixels]:
    """The frames of a VP9 stream, BGR [H, W, 3]."""
    import cv2

    reader: Any = io.BytesIO(ivf)
    capture: Any = cv2.VideoCapture(reader, cv2.CAP_FFMPEG, [])
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield frame


def _animation(data: bytes) -> Iterator[Pixels]:
    """Pictures of an animation, drawn at moments from its start on."""
    import thorvg_cython as thorvg

    text = zlib.decompressobj(wbits=31).decompress(data, MAX_UNPACKED)
    json.loads(text)  # raises ValueError for what is cut off or no animation at all
    with thorvg.Engine(0):
        animation = thorvg.Animation()
        picture = animation.get_picture()
        if picture.load_data(text, "lottie+json") != thorvg.Result.SUCCESS:
            return
        picture.set_size(SIDE, SIDE)
        canvas = thorvg.SwCanvas(SIDE, SIDE, int(thorvg.Colorspace.ABGR8888S))
        canvas.add(picture)
        _, count = animation.get_total_frame()
        for look in range(LOOKS):
            animation.set_frame(count * look / LOOKS)
            canvas.update()
            canvas.draw(True)
            canvas.sync()
            yield np.frombuffer(bytes(memoryview(canvas)), np.uint8).reshape(SIDE, SIDE, 4).copy()


if __name__ == "__main__":
    sys.exit(main())
