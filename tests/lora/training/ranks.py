"""What test_distributed.py has two processes do: the command ``train``, then trainings whose ends are noted.

    torchrun --nproc_per_node=2 -m tests.lora.training.ranks OUT BASE CACHE_DIR FLAGS

OUT/command and OUT/command-captured are trained by the command. OUT/RANK.json has what each process saw of
each of CASES, and OUT/CASE-STEP-RANK.safetensors the states of its checkpoints.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lora.__main__ import main as command
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, Trained, TrainSettings
from lora.models import base_model
from lora.models.base_model import Base
from lora.training import captured, distributed, loop, shared_step
from lora.training.captured import CapturedTraining
from lora.training.distributed import Processes
from lora.training.loss import Shown, errors_of
from lora.training.plan import Plan, make_plan
from tests.lora.conftest import disc

STEPS = 6
CHANGED = 1  # the rank that is told to halt, and whose errors are infinite
# {name: (captured, what differs)}: three pictures in two processes, one of one and one of two.
CASES: dict[str, tuple[bool, dict[str, Any]]] = {
    "eager": (False, {}),
    "captured": (True, {}),
    "resumed": (True, {"resume": "captured"}),  # from its step 3
    "halted": (True, {"halt": 1}),  # after this step
    "not-a-number": (True, {"broken": 2}),  # in this step
}


def work(base: Base) -> tuple[Train, Plan]:
    """The training of all cases."""
    samples = tuple(Sample(picture=disc(number), caption=f"ball number {number}") for number in range(6))
    settings = TrainSettings(steps=STEPS, batch_size=3, learning_rate=5e-3, rank=4, checkpoint_steps=3)
    what = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=settings)
    plan = make_plan(base, settings, samples=len(samples))
    return what, replace(plan, ema_decay=0.9, snr_gamma=5.0, max_grad_norm=0.05)


def main(out: Path, folder: str, cache_dir: Path, *flags: str) -> None:
    processes = distributed.from_environment()
    with distributed.process_group(processes, torch.device("cpu")):
        # The processes can join once only: the commands find them joined.
        distributed.process_group = lambda processes, device: nullcontext()  # type: ignore[assignment, return-value]
        for fast, name in ((False, "command"), (True, "command-captured")):
            captured.suits = lambda run, processes, fast=fast: fast  # type: ignore[misc]
            assert command(["train", *flags, f"--output_dir={out / name}"]) == 0
        base = base_model.load(folder, cache_dir, "cpu")
        seen = {}
        for name, (fast, changes) in CASES.items():
            captured.suits = lambda run, processes, fast=fast: fast  # type: ignore[misc]
            seen[name] = _case(base, *work(base), processes, out, name, **changes)
    (out / f"{processes.rank}.json").write_text(json.dumps(seen))


def _case(
    base: Base, what: Train, plan: Plan, processes: Processes, out: Path, name: str, **changes: Any
) -> dict[str, Any]:
    """The losses of a training and how it ended."""
    one = processes.rank == CHANGED
    if "resume" in changes:
        what = replace(what, resume=_state(out, changes["resume"], 3, processes).read_bytes())
    if "broken" in changes:
        plan = replace(plan, checkpoint_steps=1)
    halt, losses, end = threading.Event(), [], "halted"
    kept: list[Tensor] = []
    with _watched(kept, broken=changes.get("broken", 0) if one else 0):
        try:
            for event in loop.train(base, what, plan, processes=processes, halt=halt):
                if isinstance(event, Progress) and event.loss is not None:
                    losses.append(event.loss)
                    if one and event.step == changes.get("halt"):
                        halt.set()
                elif isinstance(event, Checkpoint):
                    _state(out, name, event.step, processes).write_bytes(event.state)
                    saved = [value.clone() for value in kept]
                elif isinstance(event, Trained):
                    end = "trained"
        except JobError as error:
            end = str(error)
    unchanged = all(torch.equal(value, before) for value, before in zip(kept, saved, strict=True))
    return {"losses": losses, "end": end, "unchanged since the checkpoint": unchanged}


@contextmanager
def _watched(kept: list[Tensor], *, broken: int) -> Iterator[None]:
    """Within it, ``kept`` has weights and moments of a captured training; errors of pass ``broken`` are infinite."""
    show, passes = CapturedTraining.show, 0

    def shown(self: CapturedTraining, used: Tensor) -> Any:
        kept[:] = [self._values, *self._moments.values()]
        return show(self, used)

    def errors(base: Base, given: Shown) -> Tensor:
        nonlocal passes
        passes += 1
        return errors_of(base, given) * (torch.inf if passes == broken else 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CapturedTraining, "show", shown)
        patch.setattr(shared_step, "errors_of", errors)
        yield


def _state(out: Path, name: str, step: int, processes: Processes) -> Path:
    return out / f"{name}-{step}-{processes.rank}.safetensors"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
