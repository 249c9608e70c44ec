"""What the commands work on: one folder of samples and one complete training, made once for all processes."""

from pathlib import Path

import pytest

from lora.__main__ import main
from lora.jobs import Sample
from tests.made_once import made_once
from tests.sample_folder import write_folder


@pytest.fixture(scope="session")
def sample_folder(samples: tuple[Sample, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples as a folder. Tests read it; those that write have ``data``, a folder of their own."""
    return made_once(tmp_path_factory, "samples", lambda folder: write_folder(folder, samples))


@pytest.fixture(scope="session")
def trained_run(
    sample_folder: Path, tiny_folder: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output folder of a training of three checkpoints. Tests read it, and copy it to write."""

    def train(output: Path) -> None:
        flags = ["--keyword=zorvex", "--rank=2", "--max_train_steps=12", "--checkpointing_steps=4"]
        flags += [f"--pretrained_model_name_or_path={tiny_folder}", f"--cache_dir={cache_dir}"]
        flags += [f"--train_data_dir={sample_folder}", "--device=cpu", "--threads=1"]
        assert main(["train", *flags, f"--output_dir={output}"]) == 0

    return made_once(tmp_path_factory, "trained-run", train)
