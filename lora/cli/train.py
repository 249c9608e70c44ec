"""python -m lora train: trains an adapter, with the flags of diffusers' ``train_text_to_image_lora.py``."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import run_folder, train_flags
from lora.cli.progress_bar import ProgressBar
from lora.cli.run_record import RunRecord, read_record
from lora.cli.terminal import UsageError, check_folder, check_seeds, load_base, read_samples
from lora.cli.train_flags import add_arguments as add_arguments
from lora.data.imagefolder import ODD

if TYPE_CHECKING:
    from lora.jobs import Sample, Train
    from lora.models.base_model import Base
    from lora.training.distributed import Processes
    from lora.training.plan import Plan

HELP = "train an adapter on a folder of samples"
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors that go away with free disk space


def run(args: argparse.Namespace) -> None:
    """Train and write the checkpoints; an interrupted run goes on with --resume_from_checkpoint latest."""
    _check_output(args)
    if args.validation_prompt:
        check_seeds(args.seed, args.num_validation_images)
    samples, held_out = _samples(args)
    from lora.models.device import pick_device
    from lora.training.distributed import from_environment, local_device, process_group

    processes = from_environment()
    args.device = local_device(args.device)
    with process_group(processes, pick_device(args.device)):
        with processes.main_first():
            base = _load(args)
        plan = train_flags.make_plan(args, base, len(samples), processes)
        _train(args, base, plan, samples, held_out, processes)


def _check_output(args: argparse.Namespace) -> None:
    """Raises UsageError if OUTPUT_DIR cannot be written or another training uses it; before anything is loaded."""
    folder = args.output_dir
    check_folder("--output_dir", folder)
    run_folder.check_unused(folder)
    if args.report_to != "none" and ODD.search(str(folder / args.logging_dir)):
        raise UsageError(
            f"{folder / args.logging_dir}: TensorBoard takes no names that are not UTF-8; name other folders, or give "
            "--report_to none"
        )
    if args.overwrite_output_dir and args.resume_from_checkpoint:
        raise UsageError(
            "--overwrite_output_dir: it removes what --resume_from_checkpoint goes on from; give one of them"
        )
    _check_earlier(args)


def _check_earlier(args: argparse.Namespace) -> None:
    """Raises UsageError if OUTPUT_DIR holds a training that is neither to be gone on with nor to be removed."""
    folder = args.output_dir
    found = run_folder.adapters_in(folder)
    if not found or args.overwrite_output_dir:
        return
    if args.resume_from_checkpoint is None:
        raise UsageError(
            f"{folder}: there is a training in it ({_few(found)}); go on with it (--resume_from_checkpoint latest), "
            "train into another --output_dir, or remove it with --overwrite_output_dir"
        )
    if run_folder.find_checkpoint(folder, args.resume_from_checkpoint) is None:
        raise UsageError(
            f"{folder}: there is a training in it ({_few(found)}), and no {run_folder.STATE} to go on from; train into "
            "another --output_dir, or remove it with --overwrite_output_dir"
        )


def _few(names: list[str]) -> str:
    """The names, or the first ones if there are many."""
    return ", ".join(names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"])


def _train(
    args: argparse.Namespace,
    base: Base,
    plan: Plan,
    samples: list[Sample],
    held_out: list[Sample],
    processes: Processes,
) -> None:
    """Run the training and report its events. Exits with INTERRUPTED if it was halted."""
    from lora.cli.training_report import open_report
    from lora.jobs import Train, Trained
    from lora.training import loop

    # What is trained, and from which step on.
    source, resume, steps_done = _resume(args)
    progress_bar = ProgressBar(visible=processes.is_main, steps=plan.steps, done=steps_done)
    progress_bar.say(_summary(args, base, plan, len(samples), len(held_out), processes, source))
    if warning := _of_keyword(args.keyword):
        progress_bar.say(warning)
    job = Train(id=0, attempt=1, keyword=args.keyword, samples=tuple(samples), resume=resume)
    record = _record(args, base, job, plan)

    # The training. It gets its first event before a file is changed: until then it may refuse the state to resume from.
    halt = threading.Event()
    events = loop.train(base, job, plan, held_out=held_out, processes=processes, halt=halt)
    with (
        _errors_explained(args, source, progress_bar),
        _halt_on_signals(halt, processes),
        closing(events),
    ):
        first = next(events)
        _check_same_training(args, record, source)
        with ExitStack() as opened:
            report = None  # the processes beside the main one write nothing
            if processes.is_main:
                opened.enter_context(run_folder.writing(args.output_dir))
                _check_earlier(args)  # again: another training may have ended there meanwhile
                report = opened.enter_context(
                    open_report(args, base, plan, progress_bar, record, steps_done=steps_done)
                )
            for event in chain([first], events):
                if halt.is_set() and _is_before_first_step(event):
                    raise KeyboardInterrupt
                if report is not None:
                    report.handle(event)
        if halt.is_set() and not isinstance(event, Trained):
            progress_bar.say(
                f"interrupted after step {event.step}; go on with --resume_from_checkpoint latest"
            )
            sys.exit(INTERRUPTED)


def _is_before_first_step(event: object) -> bool:
    """Whether an event comes before any step, so that there is nothing to save yet."""
    from lora.jobs import Progress

    return isinstance(event, Progress) and event.loss is None


def _record(args: argparse.Namespace, base: Base, job: Train, plan: Plan) -> RunRecord:
    """The content of run.json, which is written before the first step."""
    from lora.training.checkpoints import fingerprint

    return RunRecord(
        base=args.pretrained_model_name_or_path,
        train_data_dir=str(args.train_data_dir),
        image_column=args.image_column,
        caption_column=args.caption_column,
        max_train_samples=args.max_train_samples,
        identity=fingerprint(base, job, plan),
    )


def _check_same_training(args: argparse.Namespace, record: RunRecord, source: Path | None) -> None:
    """Raises UsageError if a resumed training would write into the folder of another training.

    ``source`` is the state file, None without a resume. It may lie in another folder.
    """
    from lora.training.checkpoints import differences

    if source is None:
        return
    stored = read_record(args.output_dir)
    if stored is None:
        own = source.resolve().is_relative_to(args.output_dir.resolve())
        different = [] if own else run_folder.adapters_in(args.output_dir)
    else:
        different = differences(stored.identity, record.identity)
    if different:
        raise UsageError(
            f"{args.output_dir}: there is another training in it ({_few(different)}); train into another --output_dir"
        )


@contextmanager
def _errors_explained(
    args: argparse.Namespace, source: Path | None, progress_bar: ProgressBar
) -> Iterator[None]:
    """Turns the errors of a training into messages: what happened, to which file, and how to go on."""
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
        progress_bar.say(_explain_interrupt(args))
        sys.exit(INTERRUPTED)
    finally:
        progress_bar.close()


@contextmanager
def _halt_on_signals(halt: threading.Event, processes: Processes) -> Iterator[None]:
    """Ctrl-C, or SIGTERM from a launcher, sets ``halt``: the running step is finished and saved.

    A second Ctrl-C raises KeyboardInterrupt. Outside of the main thread nothing is changed: Python allows signal
    handlers only there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        first = not halt.is_set()
        halt.set()
        # Before the message below says that a second Ctrl-C ends at once.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if processes.is_main and first:
            # os.write, not print: the signal may have come during a print, whose buffer must not be entered twice.
            os.write(
                2, b"\nfinishing this step and saving it; Ctrl-C once more ends at once, without saving\n"
            )

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _samples(args: argparse.Namespace) -> tuple[list[Sample], list[Sample]]:
    """The training samples and the validation samples. Raises UsageError."""
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
    _check_apart(args)
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


def _check_apart(args: argparse.Namespace) -> None:
    """Raises UsageError if the run would write its pictures among the samples, or remove samples as its own files."""
    own = [args.output_dir / name for name in ("", run_folder.VALIDATION, run_folder.DRAWINGS)]
    for flag in ("train_data_dir", "validation_data_dir"):
        folder = getattr(args, flag)
        if folder and folder.resolve() in [path.resolve() for path in own]:
            raise UsageError(
                f"--output_dir {args.output_dir}: --{flag} is there; train into a folder of its own"
            )


def _load(args: argparse.Namespace) -> Base:
    """The base, on its device and in the precision that the flags ask for."""
    import torch

    from lora.models.device import pick_device
    from lora.models.offload import move_base

    precision = train_flags.precision(args)
    if args.allow_tf32:
        # Not set_float32_matmul_precision: it also makes a CPU round.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    device = pick_device(args.device)
    if precision == "no" and device.type == "cuda":
        args.device = "cpu"  # loaded onto the GPU, the weights would be rounded to bfloat16
    base = load_base(args.pretrained_model_name_or_path, args, exact=precision == "no")
    if precision:
        move_base(base, device, torch.bfloat16 if precision == "bf16" else torch.float32)
    return base


def _resume(args: argparse.Namespace) -> tuple[Path | None, bytes | None, int]:
    """The state file to resume from, its content and the steps done; None, None, 0 without one. Raises UsageError."""
    from lora.adapters import adapter_file
    from lora.jobs import JobError
    from lora.training.checkpoints import steps_done

    if args.resume_from_checkpoint is None:
        return None, None, 0
    folder = run_folder.find_checkpoint(args.output_dir, args.resume_from_checkpoint)
    if folder is None:
        return None, None, 0
    source = folder / run_folder.STATE
    state = source.read_bytes()
    try:
        return source, state, steps_done(adapter_file.read_header(state))
    except (JobError, KeyError, ValueError) as error:
        raise UsageError(f"{source}: damaged; go on from an earlier checkpoint by its name") from error


def _summary(
    args: argparse.Namespace,
    base: Base,
    plan: Plan,
    samples: int,
    held_out: int,
    processes: Processes,
    source: Path | None,
) -> str:
    """The first line of the output: base, device, samples, steps."""
    begin = f"going on from {source.parent}" if source else "starting"
    if args.resume_from_checkpoint and not source:
        begin = f"no checkpoint in {args.output_dir} yet: starting from the first step"
    several = f", {processes.world_size} processes" if processes.world_size > 1 else ""
    held = f" and {held_out} held out" if held_out else ""
    return (
        f"{begin}: {base.name} on {base.device}{several}, {samples} samples{held}, {plan.steps} steps of "
        f"{plan.batch_size}, rank {plan.rank}, learning rate {plan.learning_rate:g}"
    )


def _of_keyword(keyword: str) -> str:
    """What is wrong with the keyword, as ``python -m lora check`` says it; "" if nothing is, or there is none."""
    from lora.checks import KINDS
    from lora.data.captions import keyword_problem

    problem = keyword_problem(keyword) if keyword else None
    if problem is None:
        return ""
    kind = KINDS["keyword-unfit"]
    return f"warning: {kind.says.format(detail=problem)} ({keyword!r}): {kind.why}"


def _explain(error: Any, args: argparse.Namespace, source: Path | None) -> str:
    """The message of a JobError: the file that it is about, and what to do."""
    if error.code == "bad-adapter" and source:
        return f"{source}: {error.detail}; resume with the settings of that run, or train into another --output_dir"
    if error.code == "not-a-number":
        return (
            f"{error}; the checkpoints in {args.output_dir} are whole. Try a lower --learning_rate "
            "(and --mixed_precision=no on a GPU)"
        )
    return str(error)


def _explain_disk(error: OSError, args: argparse.Namespace) -> str:
    """The message of a failed write: a full disk, a folder without write permission, a file in the way."""
    where = error.filename or args.output_dir
    advice = "Make room, then go on" if error.errno in FULL else "Once it can be, go on"
    return (
        f"{where}: cannot be written: {error.strerror or error}; checkpoints that are there are whole. "
        f"{advice} with --resume_from_checkpoint latest"
    )


def _explain_interrupt(args: argparse.Namespace) -> str:
    """The message after an interrupt during a step or before the first one."""
    last = run_folder.find_checkpoint(args.output_dir, "latest")
    if last is None:
        return "ended at once; nothing was saved"
    return f"ended at once; --resume_from_checkpoint latest goes on from {last}"
