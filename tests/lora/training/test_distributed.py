"""Two real processes give the same losses as one process with the same batch."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lora.__main__ import main
from lora.jobs import Sample
from lora.training.distributed import SINGLE_PROCESS, Processes, local_device
from tests import waiting
from tests.lora.training.test_reference_parity import reference_plan
from tests.sample_folder import write_folder

ROOT = Path(__file__).parents[3]


def figures(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_learn_what_one_learns(
    tmp_path: Path, samples: tuple[Sample, ...], tiny_folder: Path, cache_dir: Path
) -> None:
    """Two processes really run, only one of them prints, and losses and weights agree to 1e-5."""
    write_folder(tmp_path / "data", samples)
    flags = [
        f"--pretrained_model_name_or_path={tiny_folder}",
        f"--train_data_dir={tmp_path / 'data'}",
        f"--cache_dir={cache_dir}",
        "--max_train_steps=6",
        "--checkpointing_steps=6",
        "--device=cpu",
        "--learning_rate=1e-3",
        "--rank=4",
        "--ema_decay=0.9",
        "--validation_share=0.2",
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command = ["-m", "lora", "train", *flags, "--train_batch_size=2", f"--output_dir={tmp_path / 'two'}"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = waiting.run([*torchrun, *command], cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert "on cpu, 2 processes, 5 samples and 1 held out, 6 steps of 4" in done.stdout
    assert done.stdout.count("starting") == done.stdout.count("trained") == 1
    assert main(["train", *flags, "--train_batch_size=4", f"--output_dir={tmp_path / 'one'}"]) == 0
    one, two = figures(tmp_path / "one"), figures(tmp_path / "two")
    assert [line["step"] for line in one] == [line["step"] for line in two]
    for mine, theirs in zip(one, two, strict=True):
        for key in ("loss", "validation_loss"):
            assert mine.get(key, 0) == pytest.approx(theirs.get(key, 0), abs=1e-5)
    name = "pytorch_lora_weights.safetensors"
    a, b = load_file(tmp_path / "one" / name), load_file(tmp_path / "two" / name)
    assert max(float((a[key] - b[key]).abs().max()) for key in a) < 1e-5


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
