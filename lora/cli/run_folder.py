"""The files in a run's folder: what train, compare and demo write there, and where a killed run goes on.

OUTPUT/run.json                                          what it is trained on, written first
OUTPUT/checkpoint-100/pytorch_lora_weights.safetensors   the adapter after 100 steps
OUTPUT/checkpoint-100/state.safetensors                  what a resume needs
OUTPUT/pytorch_lora_weights.safetensors                  the adapter at the end
OUTPUT/metrics.jsonl                                     a line for each step
OUTPUT/validation/step-000100-0.png                      drawings of --validation_prompt after 100 steps
OUTPUT/logs/                                             metrics and validation pictures for TensorBoard
OUTPUT/compared/step-000100-00.png                       compare: a drawing of the sheet, by checkpoint and column
OUTPUT/compare.png, scores.png, scores.json              compare: the sheet, the plot and the scores
OUTPUT/best.safetensors, chosen.json                     compare: the chosen adapter; its step and who chose it
OUTPUT/demo.png, demo.json                               demo: the sheet, and what is on it
"""

from __future__ import annotations

import fcntl
import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lora.cli.terminal import UsageError
from lora.files import locked, write_whole
from lora.jobs import Checkpoint

RECORD = "run.json"
ADAPTER = "pytorch_lora_weights.safetensors"
STATE = "state.safetensors"
METRICS = "metrics.jsonl"
VALIDATION = "validation"
DRAWINGS = "compared"
DRAWING_FILES = (f"{DRAWINGS}/base-*.png", f"{DRAWINGS}/step-*.png")
SHEET, CURVES = "compare.png", "scores.png"
SCORES = "scores.json"
CHOSEN_ADAPTER, CHOSEN = "best.safetensors", "chosen.json"
DEMO_SHEET, DEMO_FACTS = "demo.png", "demo.json"
# Patterns of all files of a run but its checkpoints and TensorBoard's. ``clear`` removes them in this order: run.json,
# which says that there is a run, comes last.
FILES = (
    CHOSEN_ADAPTER,
    ADAPTER,
    SHEET,
    CURVES,
    SCORES,
    CHOSEN,
    *DRAWING_FILES,
    DEMO_SHEET,
    DEMO_FACTS,
    f"{VALIDATION}/step-*.png",
    METRICS,
    RECORD,
)
TENSORBOARD = "events.out.tfevents.*"

log = logging.getLogger(__name__)


class DamagedMetrics(ValueError):
    """A run's metrics cannot be read; the message names the file and the line."""


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Keep other trainings out of the folder until the block or the program ends. Raises UsageError."""
    with _locked(output, fcntl.LOCK_EX):
        yield


def check_unused(output: Path) -> None:
    """Raises UsageError if a training writes into the folder. It need not be there."""
    if output.is_dir():
        with _locked(output, fcntl.LOCK_SH):  # shared: the processes of one training look at the same time
            pass


@contextmanager
def reading(output: Path) -> Iterator[None]:
    """Keep a new training from removing the run. One that is under way has removed the last one already."""
    with ExitStack() as held:
        if output.is_dir():
            with suppress(
                OSError
            ):  # BlockingIOError, or a file system without locks, of which ``writing`` tells
                held.enter_context(locked(output, fcntl.LOCK_SH | fcntl.LOCK_NB))
        yield


@contextmanager
def _locked(output: Path, how: int) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(locked(output, how | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise UsageError(
                f"{output}: a training, or a comparison, is under way in it; train into another --output_dir"
            ) from error
        except OSError as error:  # some network file systems
            if how == fcntl.LOCK_EX:
                log.warning("%s: no lock (%s): start no other training there", output, error.strerror)
        yield


def save_checkpoint(output: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint's folder. It gets its name last, so a folder with that name is complete.

    Raises OSError with the folder's name.
    """
    folder = output / f"checkpoint-{checkpoint.step}"
    part = output / f".checkpoint-{checkpoint.step}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        write_whole(part / ADAPTER, checkpoint.adapter)
        write_whole(part / STATE, checkpoint.state)
        if folder.exists():  # the run was resumed from an earlier checkpoint
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:  # a full disk, above all
        shutil.rmtree(part, ignore_errors=True)
        raise OSError(error.errno, error.strerror, str(folder)) from error
    return folder


def tidy(output: Path) -> None:
    """Remove checkpoints that a killed run had not finished writing."""
    for part in output.glob(".checkpoint-*.part"):
        shutil.rmtree(part, ignore_errors=True)


def adapters_in(output: Path) -> list[str]:
    """The names of the checkpoints with an adapter, by their steps, then those of the adapters beside them."""
    steps = [step for step, folder in _checkpoints(output) if (folder / ADAPTER).is_file()]
    names = [name for name in (ADAPTER, CHOSEN_ADAPTER) if (output / name).is_file()]
    return [*(f"checkpoint-{step}" for step in sorted(steps)), *names]


def validation_picture(output: Path, step: int, number: int) -> Path:
    """Where a drawing of the validation prompt is."""
    return output / VALIDATION / f"step-{step:06d}-{number}.png"


def compared_drawing(output: Path, step: int | None, column: int) -> Path:
    """Where a drawing of the comparison's sheet is. ``step`` is None for the bare base."""
    row = "base" if step is None else f"step-{step:06d}"
    return output / DRAWINGS / f"{row}-{column:02d}.png"


def remove_drawings(output: Path) -> None:
    """Remove the drawings of an earlier comparison. Raises OSError."""
    for pattern in DRAWING_FILES:
        for file in output.glob(pattern):
            file.unlink()


def clear(output: Path, logs: Path) -> None:
    """Remove all files of a run in ``output``, and no others; folders that are empty then go, too.

    TensorBoard's files are in ``logs``. If that is outside of ``output`` they stay: other runs may write there, too.
    Raises OSError.
    """
    tidy(output)
    for _, folder in _checkpoints(output):
        shutil.rmtree(folder)
    folders = [output / DRAWINGS, output / VALIDATION]
    if logs.resolve().is_relative_to(output.resolve()):
        folders.append(logs)
        for file in logs.glob(TENSORBOARD):
            file.unlink()
    for pattern in FILES:
        for file in output.glob(pattern):
            file.unlink()
    for folder in folders:
        if folder.is_dir() and folder != output and not any(folder.iterdir()):
            folder.rmdir()


def keep_states(output: Path, limit: int) -> None:
    """Keep the last ``limit`` resume states. All adapters stay, because the last is not always the best."""
    for _, folder in sorted(_resumable(output))[:-limit]:
        (folder / STATE).unlink()


def find_checkpoint(output: Path, wanted: str) -> Path | None:
    """The checkpoint's folder for ``latest``, a name inside ``output`` or a path. None if there is no latest yet.

    Raises FileNotFoundError for a name or path without a resume state.
    """
    if wanted != "latest":
        found = next((path for path in (output / wanted, Path(wanted)) if (path / STATE).is_file()), None)
        if found is None:
            raise FileNotFoundError(f"{wanted}: no checkpoint (a folder with {STATE}) of that name")
        return found
    numbered = _resumable(output)
    return max(numbered)[1] if numbered else None


def _resumable(output: Path) -> list[tuple[int, Path]]:
    """The checkpoints with a resume state, with their steps."""
    return [(step, folder) for step, folder in _checkpoints(output) if (folder / STATE).is_file()]


def _checkpoints(output: Path) -> list[tuple[int, Path]]:
    """The folders of checkpoints with their steps."""
    return [
        (int(match[1]), path)
        for path in output.glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", path.name)) and path.is_dir()
    ]


class Metrics:
    """Appends a line for each step to ``metrics.jsonl``. Lines after the step to resume from are removed first.

    Raises DamagedMetrics if an existing file cannot be read, and OSError; then nothing is changed.
    """

    def __init__(self, output: Path, *, steps_done: int) -> None:
        self._path = output / METRICS
        lines = _lines_up_to(self._path, steps_done) if steps_done else []
        write_whole(self._path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, **values: float) -> None:
        """Append one step's values."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def _lines_up_to(path: Path, steps: int) -> list[str]:
    """The lines of the first ``steps`` steps. A last line without its end is left out: a kill interrupted it."""
    data = path.read_bytes() if path.is_file() else b""
    lines = data.split(b"\n")[:-1]
    return [line.decode() for number, line in enumerate(lines, start=1) if _step(line, path, number) <= steps]


def _step(line: bytes, path: Path, number: int) -> float:
    """The step of a line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise DamagedMetrics(f"{path}, line {number}: no figures of a step") from error
