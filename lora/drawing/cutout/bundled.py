"""The bundled network as a remover: a picture of 320 px to its alpha, as a whole or for a part of the picture."""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.drawing.cutout.flat import Box

FILE = Path(__file__).parents[2] / "bundled" / "cutout.onnx"
WINDOW_FILE = FILE.with_name("cutout-window.onnx")  # made by lora/drawing/cutout/windowed.py

SIDE = 320
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet
CELL_PX = 8  # of 320: the grid on which a window lies
# px of 320: alpha at a window's edge is wrong up to 15 px inside it, and the resize to the picture's size reaches 3 px
AROUND_PX = 18

Bytes = NDArray[np.uint8]


class BundledRemover:
    """The network in ONNX Runtime. With ``OMP_NUM_THREADS`` it takes as many threads."""

    def __init__(self) -> None:
        self._windowed = _session(WINDOW_FILE)

    @cached_property
    def _whole(self) -> Any:  # 90 MB that a worker needs only if a background is not flat
        return _session(FILE)

    def alpha(self, image: Image.Image, part: Box | None = None) -> NDArray[np.floating[Any]]:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing; with a ``part``, it is right only there.

        The network learned from clean drawings on backgrounds with grain, so it takes grain for background. A median
        over 3 px removes the grain. Without it, noise of 2/255 lowers IoU by a tenth (``benchmarks.cutout``).
        """
        smooth = Image.fromarray(cv2.medianBlur(np.asarray(image), 3))
        images = _normalised(np.asarray(smooth.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))
        if part is None:
            mask = self._of_whole(images)
        else:
            mask = self._of_window(images, _window(part, image.height, image.width))
        large = Image.fromarray(mask).resize(image.size, Image.Resampling.LANCZOS)
        return np.asarray(large) / np.float32(255)

    def _of_whole(self, images: NDArray[np.float32]) -> Bytes:
        """Alpha [320, 320], spread to 0 to 255 as rembg does it."""
        (found,) = self._whole.run(None, {"images": images})
        low, high = found.min(), found.max()
        return ((found[0, 0] - low) / max(high - low, 1e-6) * 255).astype(np.uint8)

    def _of_window(self, images: NDArray[np.float32], window: NDArray[np.int64]) -> Bytes:
        """Alpha [320, 320] inside the window [[top, left], [bottom, right]] in cells, 0 elsewhere."""
        start, end = window
        (found,) = self._windowed.run(None, {"images": images, "start": start, "end": end})
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        (top, left), (bottom, right) = window * CELL_PX
        mask[top:bottom, left:right] = found[0, 0] * 255
        return mask


def _window(part: Box, height: int, width: int) -> NDArray[np.int64]:
    """The cells [[top, left], [bottom, right]] that a part of a picture of this size needs."""
    bounds = []
    for along, px in zip(part, (height, width), strict=True):
        first = math.floor((along.start * SIDE / px - AROUND_PX) / CELL_PX)
        last = math.ceil((along.stop * SIDE / px + AROUND_PX) / CELL_PX)
        bounds.append((max(0, first), min(SIDE // CELL_PX, last)))
    return np.array(bounds, dtype=np.int64).T


def _normalised(rgb: Bytes) -> NDArray[np.float32]:
    """Bytes [320, 320, 3] -> ``(x / max(x) - mean) / std`` as float [1, 3, 320, 320], with the picture's maximum."""
    table = ((np.arange(256)[:, None] / max(rgb.max(), 1e-6) - MEAN) / STD).astype(np.float32)
    values: Any = cv2.LUT(rgb, table[:, None])
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _session(file: Path) -> Any:
    import onnxruntime

    options = session_options()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def session_options() -> Any:
    """ONNX Runtime's threads wait without work instead of turning in circles: the cores are others' meanwhile."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
