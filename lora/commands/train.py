"""python -m lora train: trains an adapter, with the flags of diffusers' ``train_text_to_image_lora.py``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.commands import train_flags
from lora.commands.terminal import UsageError, load_base, read_samples
from lora.commands.train_flags import add_arguments as add_arguments
from lora.commands.watch import Watch

if TYPE_CHECKING:
    from lora.bases import Base
    from lora.board import Board
    from lora.held_out import Validated
    from lora.jobs import Checkpoint, Progress, Sample
    from lora.output import Metrics
    from lora.plan import Plan
    from lora.ranks import Ranks

HELP = "train an adapter on a folder of samples"
VALIDATION_CFG, VALIDATION_DENOISING_STEPS = 7.5, 30  # what the reference script draws with
INTERRUPTED = 130


@dataclass(kw_only=True)
class Report:
    """Where a training's events go: the terminal, files and TensorBoard."""

    args: argparse.Namespace
    base: Base
    how: Plan
    watch: Watch
    metrics: Metrics
    board: Board | None
    began: float = field(default_factory=time.monotonic)
    last: Checkpoint | None = None

    def step(self, event: Progress) -> None:
        """One step's figures."""
        from lora.schedules import rate

        lr = self.how.learning_rate * rate(self.how, event.step - 1)
        seconds = round(time.monotonic() - self.began, 3)
        assert event.loss is not None
        self.metrics.add(step=event.step, loss=event.loss, lr=lr, seconds=seconds)
        if self.board:
            self.board.add(event.step, {"loss": event.loss, "learning rate": lr})
        self.watch.step(event, lr)

    def validated(self, event: Validated) -> None:
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
        from lora.draw import Item, Picture, draw
        from lora.output import VALIDATION
        from lora.place import rest

        items = [
            Item(
                prompt=self.args.validation_prompt,
                adapter=event.adapter,
                seed=self.args.seed + number,
                cfg=VALIDATION_CFG,
            )
            for number in range(self.args.num_validation_images)
        ]
        folder = self.args.output_dir / VALIDATION
        folder.mkdir(parents=True, exist_ok=True)
        images = []
        for picture in draw(self.base, items, steps=VALIDATION_DENOISING_STEPS):
            if isinstance(picture, Picture):
                picture.image.save(folder / f"step-{event.step:06d}-{picture.index}.png")
                images.append(picture.image)
        rest(self.base)
        if self.board:
            self.board.show(event.step, "validation", images)
        self.watch.say(f"step {event.step}: drew {len(images)} pictures into {folder}")

    def save(self, event: Checkpoint) -> None:
        """A checkpoint's files."""
        from lora import output

        self.last = event
        folder = output.save_checkpoint(self.args.output_dir, event)
        if self.args.checkpoints_total_limit:
            output.keep_states(self.args.output_dir, self.args.checkpoints_total_limit)
        self.watch.say(f"saved {folder}")


def run(args: argparse.Namespace) -> None:
    """Train, writing checkpoints as they come; a run that ended goes on with --resume_from_checkpoint latest."""
    samples, held_out = _samples(args)
    from lora.bases import pick_device
    from lora.ranks import from_environment, local_device, together

    ranks = from_environment()
    args.device = local_device(args.device)
    with together(ranks, pick_device(args.device)):
        with ranks.leader_first():
            base = _load(args)
        how = train_flags.make_plan(args, base, len(samples), ranks)
        _train(args, base, how, samples, held_out, ranks)


def _train(
    args: argparse.Namespace,
    base: Base,
    how: Plan,
    samples: list[Sample],
    held_out: list[Sample],
    ranks: Ranks,
) -> None:
    """The training itself, event by event."""
    from lora import train as training
    from lora.held_out import Validated
    from lora.jobs import Checkpoint, JobError, Progress, Train, Trained

    source, resume, done = _resume(args)
    watch = Watch(speaks=ranks.leads, steps=how.steps, done=done)
    watch.say(_outlook(args, base, how, len(samples), len(held_out), ranks, source))
    job = Train(id=0, attempt=1, keyword=args.keyword, samples=tuple(samples), resume=resume)
    with _report(args, base, how, watch, done, ranks) as report, _halt() as halt:
        events = training.train(base, job, how, held_out=held_out, ranks=ranks, halt=halt)
        try:
            for event in events:
                if isinstance(event, Progress) and event.loss is None and halt.is_set():
                    raise KeyboardInterrupt  # before the first step there is nothing to save
                if report is None:  # the leading process writes for all
                    continue
                if isinstance(event, Progress) and event.loss is not None:
                    report.step(event)
                if isinstance(event, Validated):
                    report.validated(event)
                if isinstance(event, Checkpoint):
                    report.save(event)
                if isinstance(event, Trained):
                    _finish(args, report)
        except JobError as error:
            raise UsageError(_explain(error, args, source)) from error
        except OSError as error:
            raise UsageError(_explain_disk(error, args)) from error
        finally:
            events.close()  # type: ignore[attr-defined]  # takes the LoRA off the base
        if halt.is_set() and not isinstance(event, Trained):
            watch.say(f"interrupted after step {event.step}; go on with --resume_from_checkpoint latest")
            watch.close()
            sys.exit(INTERRUPTED)


@contextmanager
def _report(
    args: argparse.Namespace, base: Base, how: Plan, watch: Watch, done: int, ranks: Ranks
) -> Iterator[Report | None]:
    """Where the events go, closed at the end whatever happens; None in processes that only work along."""
    if not ranks.leads:
        yield None
        return
    from lora import output
    from lora.board import Board

    try:
        output.tidy(args.output_dir)
        metrics = output.Metrics(args.output_dir, steps_done=done)
        folder = args.output_dir / args.logging_dir
        board = Board(folder, steps_done=done) if args.report_to != "none" else None
    except OSError as error:
        raise UsageError(_explain_disk(error, args)) from error
    try:
        yield Report(args=args, base=base, how=how, watch=watch, metrics=metrics, board=board)
    finally:
        watch.close()
        if board:
            board.close()


@contextmanager
def _halt() -> Iterator[threading.Event]:
    """Set by Ctrl-C or a launcher's SIGTERM: the step at hand is finished and saved. A second one ends at once."""
    halt = threading.Event()
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        halt.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        if threading.current_thread() is threading.main_thread():
            for number in known:
                signal.signal(number, ask)
        yield halt
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in known.items():
                signal.signal(number, handler)


def _samples(args: argparse.Namespace) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from, and samples to hold out."""
    from lora.dataset import read_folder
    from lora.held_out import hold_out

    if args.dataset_name is not None:
        if not Path(args.dataset_name).is_dir():
            raise UsageError(
                f"--dataset_name {args.dataset_name}: no local folder. For a data set of the hub, run "
                f"`hf download {args.dataset_name} --repo-type dataset --local-dir DIR` and give --train_data_dir DIR"
            )
        args.train_data_dir = args.train_data_dir or Path(args.dataset_name)
    if args.train_data_dir is None:
        raise UsageError("--train_data_dir: which folder has the pictures?")
    samples = read_samples(args)
    if args.validation_data_dir:
        columns = {
            "image_column": args.image_column,
            "caption_column": args.caption_column,
            "keyword": args.keyword,
        }
        return samples, read_folder(args.validation_data_dir, **columns)
    try:
        return hold_out(samples, args.validation_share, args.seed)
    except ValueError as error:
        raise UsageError(f"--validation_share {args.validation_share}: {error}") from error


def _load(args: argparse.Namespace) -> Base:
    """The base on its device in the precision that was asked for."""
    import torch

    from lora.bases import pick_device
    from lora.place import move

    asked = train_flags.precision(args)
    if args.allow_tf32:
        torch.set_float32_matmul_precision("high")
    place = pick_device(args.device)
    if asked == "no" and place.type == "cuda":  # loaded there it would be rounded to bfloat16
        args.device = "cpu"
    base = load_base(args.pretrained_model_name_or_path, args)
    if asked:
        move(base, place, torch.bfloat16 if asked == "bf16" else torch.float32)
    return base


def _resume(args: argparse.Namespace) -> tuple[Path | None, bytes | None, int]:
    """The state to go on from, if one was asked for and is there: its file, content and steps done."""
    from lora import adapters, output
    from lora.jobs import JobError

    if args.resume_from_checkpoint is None:
        return None, None, 0
    folder = output.find_checkpoint(args.output_dir, args.resume_from_checkpoint)
    if folder is None:
        return None, None, 0
    source = folder / output.STATE
    state = source.read_bytes()
    try:
        return source, state, int(adapters.read_metadata(state)["step"])
    except (JobError, KeyError, ValueError) as error:
        raise UsageError(f"{source}: damaged; go on from an earlier checkpoint by its name") from error


def _outlook(
    args: argparse.Namespace,
    base: Base,
    how: Plan,
    samples: int,
    held_out: int,
    ranks: Ranks,
    source: Path | None,
) -> str:
    """What is about to be done, in a few words."""
    begin = f"going on from {source.parent}" if source else "starting"
    if args.resume_from_checkpoint and not source:
        begin = f"no checkpoint in {args.output_dir} yet: starting from the first step"
    many = f", {ranks.count} processes" if ranks.count > 1 else ""
    held = f" and {held_out} held out" if held_out else ""
    return (
        f"{begin}: {base.name} on {base.device}{many}, {samples} samples{held}, {how.steps} steps of "
        f"{how.batch_size}, rank {how.rank}, learning rate {how.learning_rate:g}"
    )


def _finish(args: argparse.Namespace, report: Report) -> None:
    from lora.files import write_whole
    from lora.output import ADAPTER

    assert report.last is not None
    write_whole(args.output_dir / ADAPTER, report.last.adapter)
    report.watch.say(f"trained {args.output_dir / ADAPTER}")


def _explain(error: Any, args: argparse.Namespace, source: Path | None) -> str:
    """A JobError with the file that it is about and what to do."""
    if error.code == "bad-adapter" and source:
        return f"{source}: {error.detail}; resume with the settings of that run, or train into another --output_dir"
    if error.code == "not-a-number":
        return (
            f"{error}; the checkpoints in {args.output_dir} are whole. Try a lower --learning_rate "
            "(and --mixed_precision=no on a GPU)"
        )
    return str(error)


def _explain_disk(error: OSError, args: argparse.Namespace) -> str:
    """Writing failed: a full disk, a folder that may not be written."""
    where = error.filename or args.output_dir
    return (
        f"{where}: cannot be written: {error.strerror or error}; checkpoints that are there are whole. "
        "Make room, then go on with --resume_from_checkpoint latest"
    )
