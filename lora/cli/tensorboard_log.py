"""Writes a training's metrics and drawings for TensorBoard: ``tensorboard --logdir OUTPUT_DIR/logs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Event files in ``folder``. TensorBoard ignores values after ``steps_done`` that an earlier, killed run wrote."""

    def __init__(self, folder: Path, *, steps_done: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=steps_done + 1 if steps_done else None)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write one step's values, each under its name."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def add_images(self, step: int, name: str, images: Sequence[Image.Image]) -> None:
        """Write RGB pictures of one size under one name; TensorBoard shows them side by side."""
        stacked = np.stack([np.asarray(image) for image in images])
        self._writer.add_images(name, stacked, step, dataformats="NHWC")

    def close(self) -> None:
        """Write what is still buffered."""
        self._writer.close()
