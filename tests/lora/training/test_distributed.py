"""Two real processes give the same losses as one process with the same batch, captured or not. ``ranks`` runs them."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load, load_file
from torch import nn

from lora.__main__ import main
from lora.jobs import Checkpoint, Sample
from lora.models.base_model import Base
from lora.training import captured, loop
from lora.training.distributed import SINGLE_PROCESS, Processes, local_device
from tests import waiting
from tests.lora.training import ranks
from tests.lora.training.test_reference_parity import reference_plan
from tests.sample_folder import write_folder

ROOT = Path(__file__).parents[3]


def figures(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def together(
    tmp_path_factory: pytest.TempPathFactory, samples: tuple[Sample, ...], tiny_folder: Path, cache_dir: Path
) -> tuple[Path, list[str], str]:
    """The folder in which two processes have done all that ``ranks`` says, the command's flags, and what it printed."""
    out = tmp_path_factory.mktemp("together")
    write_folder(out / "data", samples)
    flags = [
        f"--pretrained_model_name_or_path={tiny_folder}",
        f"--train_data_dir={out / 'data'}",
        f"--cache_dir={cache_dir}",
        "--max_train_steps=6",
        "--checkpointing_steps=6",
        "--device=cpu",
        "--mixed_precision=no",
        "--learning_rate=1e-3",
        "--rank=4",
        "--ema_decay=0.9",
        "--validation_share=0.2",
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    script = ["-m", "tests.lora.training.ranks", str(out), str(tiny_folder), str(cache_dir)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = waiting.run([*torchrun, *script, *flags, "--train_batch_size=2"], cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    return out, flags, done.stdout


def test_two_processes_learn_what_one_learns(together: tuple[Path, list[str], str]) -> None:
    """Two processes really run, only one of them prints, and losses and weights agree to 1e-5, captured or not."""
    out, flags, printed = together
    assert printed.count("on cpu, 2 processes, 5 samples and 1 held out, 6 steps of 4") == 2
    assert printed.count("starting") == printed.count("trained ") == 2
    assert main(["train", *flags, "--train_batch_size=4", f"--output_dir={out / 'one'}"]) == 0
    name = "pytorch_lora_weights.safetensors"
    one, weights = figures(out / "one"), load_file(out / "one" / name)
    for run in ("command", "command-captured"):
        two, others = figures(out / run), load_file(out / run / name)
        assert [line["step"] for line in one] == [line["step"] for line in two]
        for mine, theirs in zip(one, two, strict=True):
            for key in ("loss", "validation_loss"):
                assert mine.get(key, 0) == pytest.approx(theirs.get(key, 0), abs=1e-5)
        assert max(float((weights[key] - others[key]).abs().max()) for key in weights) < 1e-5


def ends(out: Path, case: str) -> dict[str, Any]:
    """What both processes saw of a case of ``ranks``: the same."""
    seen = [json.loads((out / f"{rank}.json").read_text())[case] for rank in (0, 1)]
    assert seen[0] == seen[1]
    return dict(seen[0])


def state(out: Path, case: str, step: int) -> bytes:
    """The state of a checkpoint of a case: the same in both processes."""
    states = [(out / f"{case}-{step}-{rank}.safetensors").read_bytes() for rank in (0, 1)]
    assert states[0] == states[1]
    return states[0]


def check_same(one: bytes, other: bytes) -> None:
    left, right = load(one), load(other)
    assert set(left) == set(right)
    for key, value in left.items():
        torch.testing.assert_close(value, right[key], atol=2e-4, rtol=2e-3, msg=key)


@pytest.fixture(scope="module")
def alone(base: Base) -> dict[int, bytes]:
    """The states of the same training in one process, captured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captured, "suits", lambda run, processes: True)
        events = list(loop.train(base, *ranks.work(base)))
    return {one.step: one.state for one in events if isinstance(one, Checkpoint)}


@pytest.mark.parametrize("case", ["eager", "captured", "resumed"])
def test_processes_with_unequal_shares_learn_the_same(
    together: tuple[Path, list[str], str], alone: dict[int, bytes], case: str
) -> None:
    """One picture here and two there: weights, moments and average are those of one process."""
    out, _, _ = together
    seen, eager = ends(out, case), ends(out, "eager")
    assert seen["end"] == "trained"
    assert seen["losses"] == pytest.approx(eager["losses"][-len(seen["losses"]) :], rel=1e-4)
    check_same(state(out, case, ranks.STEPS), alone[ranks.STEPS])


def test_processes_halt_after_the_same_step(
    together: tuple[Path, list[str], str], alone: dict[int, bytes]
) -> None:
    """One is told to halt after its first step. Both end after the third, and save it."""
    out, _, _ = together
    seen = ends(out, "halted")
    assert (seen["end"], len(seen["losses"])) == ("halted", 3)
    check_same(state(out, "halted", 3), alone[3])


def test_what_is_no_number_in_one_process_changes_none(together: tuple[Path, list[str], str]) -> None:
    """Both end at the same step, with weights and moments of the step before."""
    seen = ends(together[0], "not-a-number")
    assert seen["end"].endswith("at step 2")
    assert len(seen["losses"]) == 1
    assert seen["unchanged since the checkpoint"]


def test_all_processes_decide_alike_whether_to_capture(base: Base) -> None:
    """On GPUs, with pictures for each process, all at once."""
    plan = reference_plan(base, gradient_accumulation_steps=1, batch_size=4)

    def suits(processes: int, device: str = "cuda", **changes: Any) -> bool:
        run = SimpleNamespace(
            plan=replace(plan, **changes), base=SimpleNamespace(device=torch.device(device))
        )
        return captured.suits(run, processes)  # type: ignore[arg-type]

    assert [suits(count) for count in (1, 3, 4, 5)] == [True, True, True, False]
    assert not suits(2, "cpu")
    assert not suits(2, gradient_accumulation_steps=2)
    assert not suits(2, gradient_checkpointing=True)


def test_micro_batches_cover_a_batch_once(base: object) -> None:
    """With any number of processes and micro-batches, every picture of a batch is in exactly one of them."""
    for world_size, accumulation, batch in [(1, 1, 4), (2, 1, 5), (2, 2, 8), (3, 2, 7), (4, 1, 2)]:
        plan = reference_plan(
            base,  # type: ignore[arg-type]
            gradient_accumulation_steps=accumulation,
            batch_size=batch,
        )
        seen = [
            picture
            for rank in range(world_size)
            for micro_batch in Processes(rank=rank, world_size=world_size).micro_batches(plan)
            for picture in range(batch)[micro_batch]
        ]
        assert seen == list(range(batch))


def test_a_single_process_reduces_nothing() -> None:
    """Loss and halt come back as they are, without a process group."""
    weight = nn.Parameter(torch.ones(2))
    loss, halted = SINGLE_PROCESS.all_reduce([weight], torch.tensor(0.5), True)
    assert (float(loss), float(halted)) == (0.5, 1.0)


def test_a_launcher_can_forbid_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """ACCELERATE_USE_CPU counts for auto; a device that was given by name stays."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert local_device("auto") == "cpu"
    assert local_device("cuda:1") == "cuda:1"
    monkeypatch.delenv("ACCELERATE_USE_CPU")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert local_device("auto") == "auto"
