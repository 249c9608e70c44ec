"""A training's figures and pictures for TensorBoard: ``tensorboard --logdir OUTPUT_DIR/logs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Writes event files into ``folder``; what a killed run wrote past ``steps_done`` is struck out."""

    def __init__(self, folder: Path, *, steps_done: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=steps_done + 1 if steps_done else None)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write one step's values by their names."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def show(self, step: int, name: str, images: Sequence[Image.Image]) -> None:
        """Write RGB pictures of one size, side by side under one name."""
        stacked = np.stack([np.asarray(image) for image in images])
        self._writer.add_images(name, stacked, step, dataformats="NHWC")

    def close(self) -> None:
        """Let everything reach the disk."""
        self._writer.close()
