"""What a training writes: checkpoints, figures and run.json; after a kill it goes on to the same weights."""

import json
import signal
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from lora.__main__ import main
from lora.adapters.adapter_file import read_info
from tests import waiting

ROOT = Path(__file__).parents[3]
LENGTH = ["--max_train_steps=30", "--checkpointing_steps=10"]
KILLED = """
import os, signal, sys
from lora.__main__ import main
from lora.cli.training_report import TrainingReport
handle = TrainingReport.handle
def handled(self, event):
    handle(self, event)
    if getattr(event, "loss", None) is not None and event.step == 13:
        os.kill(os.getpid(), signal.SIGKILL)
TrainingReport.handle = handled
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def train_flags(sample_folder: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    flags = {
        "pretrained_model_name_or_path": tiny_folder,
        "train_data_dir": sample_folder,
        "caption_column": "text",
        "keyword": "zorvex",
        "train_batch_size": 2,
        "learning_rate": "1e-03",
        "lr_scheduler": "constant",
        "lr_warmup_steps": 5,
        "rank": 4,
        "seed": 42,
        "cache_dir": cache_dir,
        "device": "cpu",
        "threads": 1,
    }
    return [f"--{name}={value}" for name, value in flags.items()]


@pytest.fixture(scope="module")
def trained(train_flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a complete run."""
    output = tmp_path_factory.mktemp("trained")
    assert main(["train", *train_flags, *LENGTH, "--random_flip", f"--output_dir={output}"]) == 0
    return output


def test_a_training_leaves_its_files(trained: Path) -> None:
    """Checkpoints, the last adapter, and a line of metrics for each step; nothing else."""
    assert sorted(path.name for path in trained.iterdir()) == [
        "checkpoint-10",
        "checkpoint-20",
        "checkpoint-30",
        "logs",
        "metrics.jsonl",
        "pytorch_lora_weights.safetensors",
        "run.json",
    ]
    last = (trained / "pytorch_lora_weights.safetensors").read_bytes()
    assert last == (trained / "checkpoint-30" / "pytorch_lora_weights.safetensors").read_bytes()
    about = read_info(last)
    assert about is not None
    assert (about.keyword, about.steps, about.rank, about.seed) == ("zorvex", 30, 4, 42)
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert lines[0]["lr"] == pytest.approx(2e-4)
    assert lines[4]["lr"] == lines[-1]["lr"] == pytest.approx(1e-3)


def test_a_killed_run_resumes_to_the_same_weights(
    trained: Path, train_flags: list[str], tmp_path: Path
) -> None:
    """After SIGKILL between two checkpoints, a resume from the latest leads to the weights of a whole run."""
    flags = [*train_flags, *LENGTH, f"--output_dir={tmp_path}"]
    done = waiting.run([sys.executable, "-c", KILLED, "train", *flags], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert _steps(tmp_path) == 13
    assert not (tmp_path / "pytorch_lora_weights.safetensors").exists()
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0
    mine = load_file(tmp_path / "pytorch_lora_weights.safetensors")
    theirs = load_file(trained / "pytorch_lora_weights.safetensors")
    assert mine.keys() == theirs.keys()
    assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) <= 1e-6
    assert _steps(tmp_path) == 30  # no line twice, none left out


def _steps(output: Path) -> int:
    metrics = output / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


def test_a_first_start_may_ask_for_the_latest(train_flags: list[str], tmp_path: Path) -> None:
    """With latest and no checkpoint, the training starts from the beginning; a wrong name is an error."""
    flags = [*train_flags, "--num_train_epochs=1", f"--output_dir={tmp_path}"]
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0
    assert _steps(tmp_path) == 3  # six samples, two at a time
    assert main(["train", *flags, "--resume_from_checkpoint=checkpoint-7"]) == 2


def test_the_largest_seed_trains(train_flags: list[str], tmp_path: Path) -> None:
    """The largest accepted seed works; nearest_exact is a value of the reference script that means nearest here."""
    largest = [
        "--seed=9223372036854775807",
        "--image_interpolation_mode=nearest_exact",
        "--max_train_steps=1",
    ]
    assert main(["train", *train_flags, *largest, f"--output_dir={tmp_path}"]) == 0
    assert json.loads((tmp_path / "run.json").read_text())["identity"]["interpolation"] == "nearest"
