"""What ``python -m lora train`` leaves in its output folder, and how a killed run finds its way back into it.

OUTPUT/run.json                                          what it is trained on, written first
OUTPUT/checkpoint-100/pytorch_lora_weights.safetensors   the adapter after 100 steps
OUTPUT/checkpoint-100/state.safetensors                  what a resume needs
OUTPUT/pytorch_lora_weights.safetensors                  the adapter at the end
OUTPUT/best.safetensors                                  the best of them, once they have been compared
OUTPUT/metrics.jsonl                                     a line for each step
OUTPUT/validation/step-000100-0.png                      what --validation_prompt looked like then
OUTPUT/logs/                                             the same for TensorBoard
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from lora.files import write_whole
from lora.jobs import Checkpoint

ADAPTER = "pytorch_lora_weights.safetensors"
BEST = "best.safetensors"
STATE = "state.safetensors"
RECORD = "run.json"
METRICS = "metrics.jsonl"
VALIDATION = "validation"
SHEET, CURVES = "compare.png", "scores.png"
SCORES, CHOSEN = "scores.json", "chosen.json"
DEMO_SHEET, DEMO_FACTS = "demo.png", "demo.json"
# All that is left of a run besides its checkpoints, as patterns; run.json comes last.
LEFT = (
    BEST,
    ADAPTER,
    SHEET,
    CURVES,
    SCORES,
    CHOSEN,
    DEMO_SHEET,
    DEMO_FACTS,
    f"{VALIDATION}/step-*.png",
    METRICS,
    RECORD,
)


class DamagedMetrics(ValueError):
    """A run's figures cannot be read; the message names the file and the line."""


def save_checkpoint(output: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint's folder; it gets its name last, so a folder of that name is whole.

    Raises OSError with the folder's name.
    """
    folder = output / f"checkpoint-{checkpoint.step}"
    part = output / f".checkpoint-{checkpoint.step}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        write_whole(part / ADAPTER, checkpoint.adapter)
        write_whole(part / STATE, checkpoint.state)
        if folder.exists():  # a run that goes on from an earlier checkpoint comes by once more
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:  # a full disk, above all
        shutil.rmtree(part, ignore_errors=True)
        raise OSError(error.errno, error.strerror, str(folder)) from error
    return folder


def tidy(output: Path) -> None:
    """Remove checkpoints that a killed run was in the middle of writing."""
    for part in output.glob(".checkpoint-*.part"):
        shutil.rmtree(part, ignore_errors=True)


def adapters_in(output: Path) -> list[str]:
    """What a training has left that is worth something: its checkpoints in their order, then its adapters."""
    steps = [step for step, folder in _checkpoints(output) if (folder / ADAPTER).is_file()]
    names = [name for name in (ADAPTER, BEST) if (output / name).is_file()]
    return [*(f"checkpoint-{step}" for step in sorted(steps)), *names]


def clear(output: Path, logs: Path) -> None:
    """Remove all that a run and its comparison left in ``output``, and no other files.

    TensorBoard's files are in ``logs``; outside of ``output`` they stay, for other runs may have theirs there.
    Raises OSError.
    """
    tidy(output)
    for _, folder in _checkpoints(output):
        shutil.rmtree(folder)
    if logs.resolve().is_relative_to(output.resolve()):
        for file in logs.glob("events.out.tfevents.*"):
            file.unlink()
    for pattern in LEFT:
        for file in output.glob(pattern):
            file.unlink()


def keep_states(output: Path, limit: int) -> None:
    """Of the resume states keep the last ``limit``. Adapters stay, all of them: the last is seldom the best."""
    for _, folder in sorted(_resumable(output))[:-limit]:
        (folder / STATE).unlink()


def find_checkpoint(output: Path, wanted: str) -> Path | None:
    """The folder of ``latest``, of a name inside ``output``, or at a path. None: there is no latest yet."""
    if wanted != "latest":
        found = next((path for path in (output / wanted, Path(wanted)) if (path / STATE).is_file()), None)
        if found is None:
            raise FileNotFoundError(f"{wanted}: no checkpoint (a folder with {STATE}) of that name")
        return found
    numbered = _resumable(output)
    return max(numbered)[1] if numbered else None


def _resumable(output: Path) -> list[tuple[int, Path]]:
    """Checkpoints that a run can go on from, with their steps."""
    return [(step, folder) for step, folder in _checkpoints(output) if (folder / STATE).is_file()]


def _checkpoints(output: Path) -> list[tuple[int, Path]]:
    """The folders of checkpoints with their steps."""
    return [
        (int(match[1]), path)
        for path in output.glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", path.name)) and path.is_dir()
    ]


class Metrics:
    """Appends a line for each step to ``metrics.jsonl``; what a killed run wrote past its checkpoint goes.

    Raises DamagedMetrics if what is there cannot be read, and OSError; nothing is changed then.
    """

    def __init__(self, output: Path, *, steps_done: int) -> None:
        self._path = output / METRICS
        kept = _lines_up_to(self._path, steps_done) if steps_done else []
        write_whole(self._path, "".join(f"{line}\n" for line in kept).encode())

    def add(self, **values: float) -> None:
        """Write one step's values."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def _lines_up_to(path: Path, steps: int) -> list[str]:
    """The whole lines of steps that count: the last one has no end if the run was killed while writing it."""
    data = path.read_bytes() if path.is_file() else b""
    lines = data.split(b"\n")[:-1]
    return [line.decode() for number, line in enumerate(lines, start=1) if _step(line, path, number) <= steps]


def _step(line: bytes, path: Path, number: int) -> float:
    """The step that a line of figures is of."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise DamagedMetrics(f"{path}, line {number}: no figures of a step") from error
