"""lora compare and lora demo on a whole run: what they leave, what they say, and what they refuse."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lora.__main__ import main
from lora.dataset import write_folder
from lora.jobs import Sample


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, samples: tuple[Sample, ...]) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_folder(folder, samples)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tiny_folder: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three checkpoints."""
    output = tmp_path_factory.mktemp("trained")
    flags = ["--keyword=zorvex", "--rank=2", "--max_train_steps=12", "--checkpointing_steps=4", "--threads=1"]
    flags += [f"--pretrained_model_name_or_path={tiny_folder}", f"--cache_dir={cache_dir}", "--device=cpu"]
    assert main(["train", f"--train_data_dir={data}", f"--output_dir={output}", *flags]) == 0
    return output


@pytest.fixture
def machine(tiny_folder: Path, cache_dir: Path) -> list[str]:
    return [f"--base={tiny_folder}", f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1", "--steps=2"]


def test_compare_chooses_and_a_person_overrides(
    trained: Path, data: Path, machine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The adapter that JSON names is the chosen checkpoint's; --choose changes it without drawing again."""
    flags = [str(trained), f"--train_data_dir={data}", "--num_prompts=3", *machine]
    assert main(["compare", *flags, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [score["step"] for score in said["scores"]] == [4, 8, 12]
    best = Path(said["chosen"])
    adapter = trained / f"checkpoint-{said['step']}" / "pytorch_lora_weights.safetensors"
    assert best.read_bytes() == adapter.read_bytes()
    assert json.loads((trained / "chosen.json").read_text()) == {"step": said["step"], "by": "rule"}
    for name in ("compare.png", "scores.png"):
        with Image.open(trained / name) as image:
            image.load()
    other = next(step for step in (4, 8, 12) if step != said["step"])
    assert main(["compare", *flags, f"--choose={other}"]) == 0
    assert f"you chose step {other}" in capsys.readouterr().out
    adapter = trained / f"checkpoint-{other}" / "pytorch_lora_weights.safetensors"
    assert best.read_bytes() == adapter.read_bytes()
    assert json.loads((trained / "chosen.json").read_text())["by"] == "person"
    assert json.loads((trained / "scores.json").read_text())["rule"]["step"] == said["step"]


def test_one_drawing_has_no_diversity(
    trained: Path, data: Path, machine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is null in JSON that any program reads, and a dash in the table; nothing warns."""
    run = shutil.copytree(trained, tmp_path / "run")
    flags = [str(run), f"--train_data_dir={data}", "--num_prompts=1", *machine]
    assert main(["compare", *flags, "--json"]) == 0
    said = strictly(capsys.readouterr().out.splitlines()[-1])
    assert [score["diversity"] for score in said["scores"]] == [None] * 3
    assert strictly((run / "scores.json").read_text())["scores"] == said["scores"]
    assert main(["compare", *flags]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["4"])
    assert row.split()[3] == "-"


def strictly(text: str) -> dict[str, Any]:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return dict(json.loads(text, parse_constant=refuse))


def test_demo_draws_new_prompts(trained: Path, data: Path, machine: list[str], tmp_path: Path) -> None:
    """Ten prompts at three CFG values; prompts and settings are beside the sheet; captions are refused."""
    flags = [str(trained), f"--train_data_dir={data}", *machine]
    assert main(["demo", *flags]) == 0
    facts = json.loads((trained / "demo.json").read_text())
    assert len(facts["prompts"]) == 10
    assert facts["cfg"] == [3.0, 5.0, 7.0]
    with Image.open(trained / "demo.png") as image:
        assert image.width <= 1800
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\nZorvex ball number 3.\n")
    assert main(["demo", *flags, f"--prompts={prompts}"]) == 2


def test_what_cannot_be_compared_is_one_line(
    trained: Path, data: Path, machine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No checkpoints, a step that is none: exit 2 and what to do."""
    assert main(["compare", str(tmp_path), *machine]) == 2
    assert "give the --output_dir of a training" in capsys.readouterr().err
    assert main(["compare", str(trained), f"--train_data_dir={data}", "--choose=5", *machine]) == 2
    assert "the checkpoints are 4, 8, 12" in capsys.readouterr().err
