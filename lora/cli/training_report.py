"""Where the events of ``python -m lora train`` go: the terminal, the files of OUTPUT_DIR, and TensorBoard."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from lora.cli import run_folder
from lora.cli.progress_bar import ProgressBar
from lora.cli.run_record import RunRecord, write_record
from lora.files import write_whole
from lora.jobs import Checkpoint, Progress, Trained
from lora.models.base_model import Base
from lora.training.lr_schedules import lr_multiplier
from lora.training.plan import Plan
from lora.training.validation import Validated

VALIDATION_CFG, VALIDATION_DENOISING_STEPS = 7.5, 30  # what the reference script draws with


@dataclass(kw_only=True)
class TrainingReport:
    """Takes a training's events one by one."""

    args: argparse.Namespace
    base: Base
    how: Plan
    watch: ProgressBar
    metrics: run_folder.Metrics
    board: TensorBoardLog | None
    began: float = field(default_factory=time.monotonic)
    last: Checkpoint | None = None

    def take(self, event: Progress | Validated | Checkpoint | Trained) -> None:
        """Show and keep one event. Raises OSError."""
        match event:
            case Progress(loss=None):
                pass  # nothing is learned yet
            case Progress():
                self._step(event)
            case Validated():
                self._validated(event)
            case Checkpoint():
                self._save(event)
            case Trained():
                self._finish()

    def _step(self, event: Progress) -> None:
        """One step's figures."""
        lr = self.how.learning_rate * lr_multiplier(self.how, event.step - 1)
        seconds = round(time.monotonic() - self.began, 3)
        assert event.loss is not None
        self.metrics.add(step=event.step, loss=event.loss, lr=lr, seconds=seconds)
        if self.board:
            self.board.add(event.step, {"loss": event.loss, "learning rate": lr})
        self.watch.step(event, lr)

    def _validated(self, event: Validated) -> None:
        """The loss on held-out samples, and pictures of the prompt that was to be watched."""
        if event.loss is not None:
            self.metrics.add(step=event.step, validation_loss=event.loss)
            if self.board:
                self.board.add(event.step, {"validation loss": event.loss})
            self.watch.say(f"step {event.step}: loss on held-out samples {event.loss:.4f}")
        if self.args.validation_prompt:
            self._draw(event)

    def _draw(self, event: Validated) -> None:
        """The prompt with the adapter at hand, picture ``i`` with seed + i, so that steps can be compared."""
        from lora.drawing.sampling import Item, Picture, draw
        from lora.models.offload import offload

        items = [
            Item(
                prompt=self.args.validation_prompt,
                adapter=event.adapter,
                seed=self.args.seed + number,
                cfg=VALIDATION_CFG,
            )
            for number in range(self.args.num_validation_images)
        ]
        folder = self.args.output_dir / run_folder.VALIDATION
        folder.mkdir(parents=True, exist_ok=True)
        images = []
        for picture in draw(self.base, items, steps=VALIDATION_DENOISING_STEPS):
            if isinstance(picture, Picture):
                picture.image.save(folder / f"step-{event.step:06d}-{picture.index}.png")
                images.append(picture.image)
        offload(self.base)
        if self.board:
            self.board.show(event.step, "validation", images)
        self.watch.say(f"step {event.step}: drew {len(images)} pictures into {folder}")

    def _save(self, event: Checkpoint) -> None:
        """A checkpoint's files."""
        self.last = event
        folder = run_folder.save_checkpoint(self.args.output_dir, event)
        if self.args.checkpoints_total_limit:
            run_folder.keep_states(self.args.output_dir, self.args.checkpoints_total_limit)
        self.watch.say(f"saved {folder}")

    def _finish(self) -> None:
        """The adapter at the end."""
        assert self.last is not None
        write_whole(self.args.output_dir / run_folder.ADAPTER, self.last.adapter)
        self.watch.say(f"trained {self.args.output_dir / run_folder.ADAPTER}")


@contextmanager
def opened(
    args: argparse.Namespace, base: Base, how: Plan, watch: ProgressBar, origin: RunRecord, *, done: int
) -> Iterator[TrainingReport]:
    """A report whose files are begun, or gone on with after ``done`` steps; closed at the end whatever happens.

    A training that begins at its first step finds no traces of another one in its folder. Raises OSError, and
    DamagedMetrics before anything is changed.
    """
    logs = args.output_dir / args.logging_dir
    if not done:
        run_folder.clear(args.output_dir, logs)
        write_record(args.output_dir, origin)
    run_folder.tidy(args.output_dir)
    metrics = run_folder.Metrics(args.output_dir, steps_done=done)
    if done:
        write_record(args.output_dir, origin)
    board = TensorBoardLog(logs, steps_done=done) if args.report_to != "none" else None
    try:
        yield TrainingReport(args=args, base=base, how=how, watch=watch, metrics=metrics, board=board)
    finally:
        if board:
            board.close()


class TensorBoardLog:
    """Figures and pictures for ``tensorboard --logdir OUTPUT_DIR/logs``.

    Writes event files into ``folder``; what a killed run wrote past ``steps_done`` is struck out.
    """

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
