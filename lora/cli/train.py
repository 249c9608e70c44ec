"""python -m lora train: trains an adapter, with the flags of diffusers' ``train_text_to_image_lora.py``."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import run_folder, train_flags
from lora.cli.progress_bar import ProgressBar
from lora.cli.run_record import RunRecord, read_record
from lora.cli.terminal import UsageError, load_base, read_samples
from lora.cli.train_flags import add_arguments as add_arguments

if TYPE_CHECKING:
    from lora.jobs import Sample, Train
    from lora.models.base_model import Base
    from lora.training.distributed import Processes
    from lora.training.plan import Plan

HELP = "train an adapter on a folder of samples"
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what room would help against


def run(args: argparse.Namespace) -> None:
    """Train, writing checkpoints as they come; a run that ended goes on with --resume_from_checkpoint latest."""
    _check_output(args)
    samples, held_out = _samples(args)
    from lora.models.device import pick_device
    from lora.training.distributed import from_environment, local_device, process_group

    ranks = from_environment()
    args.device = local_device(args.device)
    with process_group(ranks, pick_device(args.device)):
        with ranks.leader_first():
            base = _load(args)
        how = train_flags.make_plan(args, base, len(samples), ranks)
        _train(args, base, how, samples, held_out, ranks)


def _check_output(args: argparse.Namespace) -> None:
    """A folder that can be written, and two trainings never in one. Raises UsageError before anything is loaded."""
    folder = args.output_dir
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"--output_dir {folder}: {nearest} is a file; give a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"--output_dir {folder}: nothing may be written into {nearest}")
    if args.overwrite_output_dir and args.resume_from_checkpoint:
        raise UsageError(
            "--overwrite_output_dir: it removes what --resume_from_checkpoint goes on from; give one of them"
        )
    there = run_folder.adapters_in(folder)
    if not there or args.overwrite_output_dir:
        return
    if args.resume_from_checkpoint is None:
        raise UsageError(
            f"{folder}: there is a training in it ({_few(there)}); go on with it (--resume_from_checkpoint latest), "
            "train into another --output_dir, or remove it with --overwrite_output_dir"
        )
    if run_folder.find_checkpoint(folder, args.resume_from_checkpoint) is None:
        raise UsageError(
            f"{folder}: there is a training in it ({_few(there)}), and no {run_folder.STATE} to go on from; train into "
            "another --output_dir, or remove it with --overwrite_output_dir"
        )


def _few(names: list[str]) -> str:
    """The names, or the first ones if there are many."""
    return ", ".join(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])


def _train(
    args: argparse.Namespace,
    base: Base,
    how: Plan,
    samples: list[Sample],
    held_out: list[Sample],
    ranks: Processes,
) -> None:
    """The training itself, event by event."""
    from lora.cli.training_report import opened
    from lora.jobs import Progress, Train, Trained
    from lora.training import loop as training

    source, resume, done = _resume(args)
    watch = ProgressBar(speaks=ranks.leads, steps=how.steps, done=done)
    watch.say(_outlook(args, base, how, len(samples), len(held_out), ranks, source))
    job = Train(id=0, attempt=1, keyword=args.keyword, samples=tuple(samples), resume=resume)
    origin = _origin(args, base, job, how)
    events = training.train(base, job, how, held_out=held_out, ranks=ranks, halt=(halt := threading.Event()))
    with _explained(args, source, watch), _halting(halt, ranks), closing(events):  # type: ignore[type-var]
        first = next(events)  # only now the state to go on from has been agreed to, so only now files change
        _refuse_another(args, origin, source)
        report = opened(args, base, how, watch, origin, done=done) if ranks.leads else nullcontext()
        with report as takes:  # None in processes that only work along: the leading one writes for all
            for event in chain([first], events):
                if isinstance(event, Progress) and event.loss is None and halt.is_set():
                    raise KeyboardInterrupt  # before the first step there is nothing to save
                if takes is not None:
                    takes.take(event)
        if halt.is_set() and not isinstance(event, Trained):
            watch.say(f"interrupted after step {event.step}; go on with --resume_from_checkpoint latest")
            sys.exit(INTERRUPTED)


def _origin(args: argparse.Namespace, base: Base, job: Train, how: Plan) -> RunRecord:
    """What is noted of the training before its first step."""
    from lora.training.checkpoints import identity

    return RunRecord(
        base=args.pretrained_model_name_or_path,
        train_data_dir=str(args.train_data_dir),
        image_column=args.image_column,
        caption_column=args.caption_column,
        max_train_samples=args.max_train_samples,
        identity=identity(base, job, how),
    )


def _refuse_another(args: argparse.Namespace, origin: RunRecord, source: Path | None) -> None:
    """A checkpoint may come from elsewhere, but not into the folder of another training."""
    from lora.training.checkpoints import differences

    if source is None:
        return
    theirs = read_record(args.output_dir)
    if theirs is None:
        own = source.resolve().is_relative_to(args.output_dir.resolve())
        different = [] if own else run_folder.adapters_in(args.output_dir)
    else:
        different = differences(theirs.identity, origin.identity)
    if different:
        raise UsageError(
            f"{args.output_dir}: there is another training in it ({_few(different)}); train into another --output_dir"
        )


@contextmanager
def _explained(args: argparse.Namespace, source: Path | None, watch: ProgressBar) -> Iterator[None]:
    """What ends a training early, in words: what happened, to which file, and how to go on."""
    from lora.jobs import JobError

    try:
        yield
    except JobError as error:
        raise UsageError(_explain(error, args, source)) from error
    except run_folder.DamagedMetrics as error:
        raise UsageError(f"{error}; move the file away to go on without the figures in it") from error
    except OSError as error:
        raise UsageError(_explain_disk(error, args)) from error
    except KeyboardInterrupt:
        watch.say(_explain_end(args))
        sys.exit(INTERRUPTED)
    finally:
        watch.close()


@contextmanager
def _halting(halt: threading.Event, ranks: Processes) -> Iterator[None]:
    """Ctrl-C or a launcher's SIGTERM sets ``halt``: the step at hand is finished and saved. A second ends at once."""
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: Any) -> None:
        first = not halt.is_set()
        halt.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # before it is said that one may follow
        if ranks.leads and first:
            # Written past Python's buffers: the signal may have come while something else was being printed.
            os.write(
                2, b"\nfinishing this step and saving it; Ctrl-C once more ends at once, without saving\n"
            )

    try:
        if threading.current_thread() is threading.main_thread():
            for number in known:
                signal.signal(number, ask)
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in known.items():
                signal.signal(number, handler)


def _samples(args: argparse.Namespace) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from, and samples to hold out."""
    from lora.data.dataset import read_folder
    from lora.training.validation import split_validation

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
        return split_validation(samples, args.validation_share, args.seed)
    except ValueError as error:
        raise UsageError(f"--validation_share {args.validation_share}: {error}") from error


def _load(args: argparse.Namespace) -> Base:
    """The base on its device in the precision that was asked for."""
    import torch

    from lora.models.device import pick_device
    from lora.models.offload import move_base

    asked = train_flags.precision(args)
    if args.allow_tf32:
        # Not set_float32_matmul_precision: that would round on a CPU too.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    place = pick_device(args.device)
    if asked == "no" and place.type == "cuda":  # loaded there it would be rounded to bfloat16
        args.device = "cpu"
    base = load_base(args.pretrained_model_name_or_path, args)
    if asked:
        move_base(base, place, torch.bfloat16 if asked == "bf16" else torch.float32)
    return base


def _resume(args: argparse.Namespace) -> tuple[Path | None, bytes | None, int]:
    """The state to go on from, if one was asked for and is there: its file, content and steps done."""
    from lora.adapters import adapter_file
    from lora.jobs import JobError

    if args.resume_from_checkpoint is None:
        return None, None, 0
    folder = run_folder.find_checkpoint(args.output_dir, args.resume_from_checkpoint)
    if folder is None:
        return None, None, 0
    source = folder / run_folder.STATE
    state = source.read_bytes()
    try:
        return source, state, int(adapter_file.read_header(state)["step"])
    except (JobError, KeyError, ValueError) as error:
        raise UsageError(f"{source}: damaged; go on from an earlier checkpoint by its name") from error


def _outlook(
    args: argparse.Namespace,
    base: Base,
    how: Plan,
    samples: int,
    held_out: int,
    ranks: Processes,
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
    """Writing failed: a full disk, a folder that may not be written, a file in the way."""
    where = error.filename or args.output_dir
    how = "make room, then go on" if error.errno in FULL else "once it can be, go on"
    return (
        f"{where}: cannot be written: {error.strerror or error}; checkpoints that are there are whole. "
        f"{how.capitalize()} with --resume_from_checkpoint latest"
    )


def _explain_end(args: argparse.Namespace) -> str:
    """It was ended in the middle of a step, or before the first."""
    last = run_folder.find_checkpoint(args.output_dir, "latest")
    if last is None:
        return "ended at once; nothing was saved"
    return f"ended at once; --resume_from_checkpoint latest goes on from {last}"
