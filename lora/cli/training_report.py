"""Writes the events of ``python -m lora train`` to the terminal, the files of OUTPUT_DIR, and TensorBoard."""

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

from lora.adapters.adapter_file import read_info
from lora.cli import run_folder
from lora.cli.progress_bar import ProgressBar
from lora.cli.run_record import RunRecord, write_record
from lora.files import write_whole
from lora.jobs import Checkpoint, Progress, Trained
from lora.models.base_model import Base
from lora.training.lr_schedules import lr_multiplier
from lora.training.plan import Plan
from lora.training.validation import Validated

VALIDATION_CFG, VALIDATION_DENOISING_STEPS = 7.5, 30  # as in the reference script


@dataclass(kw_only=True)
class TrainingReport:
    """Reports a training's events, one by one."""

    args: argparse.Namespace
    base: Base
    plan: Plan
    progress_bar: ProgressBar
    metrics: run_folder.Metrics
    tensorboard: TensorBoardLog | None
    began: float = field(default_factory=time.monotonic)
    last: Checkpoint | None = None

    def handle(self, event: Progress | Validated | Checkpoint | Trained) -> None:
        """Show an event and write its files. Raises OSError."""
        match event:
            case Progress(loss=None):
                pass  # samples are still being encoded
            case Progress():
                self._step(event)
            case Validated():
                self._validated(event)
            case Checkpoint():
                self._save(event)
            case Trained():
                self._finish()

    def _step(self, event: Progress) -> None:
        """Loss, learning rate and time of one step."""
        lr = self.plan.learning_rate * lr_multiplier(self.plan, event.step - 1)
        seconds = round(time.monotonic() - self.began, 3)
        assert event.loss is not None
        self.metrics.add(step=event.step, loss=event.loss, lr=lr, seconds=seconds)
        if self.tensorboard:
            self.tensorboard.add(event.step, {"loss": event.loss, "learning rate": lr})
        self.progress_bar.step(event, lr)

    def _validated(self, event: Validated) -> None:
        """The loss on the validation samples, and drawings of the --validation_prompt."""
        if event.loss is not None:
            self.metrics.add(step=event.step, validation_loss=event.loss)
            if self.tensorboard:
                self.tensorboard.add(event.step, {"validation loss": event.loss})
            self.progress_bar.say(f"step {event.step}: loss on held-out samples {event.loss:.4f}")
        if self.args.validation_prompt:
            self._draw(event)

    def _draw(self, event: Validated) -> None:
        """Draw the --validation_prompt with the event's adapter; picture i has seed + i at every step."""
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
                picture.image.save(
                    run_folder.validation_picture(self.args.output_dir, event.step, picture.index)
                )
                images.append(picture.image)
        offload(self.base)
        if self.tensorboard:
            self.tensorboard.add_images(event.step, "validation", images)
        self.progress_bar.say(f"step {event.step}: drew {len(images)} pictures into {folder}")

    def _save(self, event: Checkpoint) -> None:
        """Write a checkpoint's files."""
        self.last = event
        folder = run_folder.save_checkpoint(self.args.output_dir, event)
        if self.args.checkpoints_total_limit:
            run_folder.keep_states(self.args.output_dir, self.args.checkpoints_total_limit)
        self.progress_bar.say(f"saved {folder}")

    def _finish(self) -> None:
        """Write the last checkpoint's adapter as the result of the run."""
        assert self.last is not None
        write_whole(self.args.output_dir / run_folder.ADAPTER, self.last.adapter)
        about = read_info(self.last.adapter)
        ending = (
            f'; captions ended and prompts end with "{about.style_words}"'
            if about and about.style_words
            else ""
        )
        self.progress_bar.say(f"trained {self.args.output_dir / run_folder.ADAPTER}{ending}")


@contextmanager
def open_report(
    args: argparse.Namespace,
    base: Base,
    plan: Plan,
    progress_bar: ProgressBar,
    record: RunRecord,
    *,
    steps_done: int,
) -> Iterator[TrainingReport]:
    """A report; its files are closed at the end, also after an error.

    With 0 ``steps_done``, the files of an earlier training in OUTPUT_DIR are removed first. Else the files are
    continued after that step. Raises OSError, and DamagedMetrics before anything is changed.
    """
    logs = args.output_dir / args.logging_dir
    if not steps_done:
        run_folder.clear(args.output_dir, logs)
        write_record(args.output_dir, record)
    run_folder.tidy(args.output_dir)
    metrics = run_folder.Metrics(args.output_dir, steps_done=steps_done)
    if steps_done:
        write_record(args.output_dir, record)  # after Metrics, which may refuse a damaged file
    tensorboard = TensorBoardLog(logs, steps_done=steps_done) if args.report_to != "none" else None
    try:
        yield TrainingReport(
            args=args,
            base=base,
            plan=plan,
            progress_bar=progress_bar,
            metrics=metrics,
            tensorboard=tensorboard,
        )
    finally:
        if tensorboard:
            tensorboard.close()


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
