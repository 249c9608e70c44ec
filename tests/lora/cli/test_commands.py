"""Whole commands: files in their places, one line for an error, an exact resume after a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from lora.__main__ import main
from lora.adapters import lora_layers
from lora.adapters.adapter_file import read_info
from lora.jobs import Sample
from tests import waiting
from tests.sample_folder import write_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, samples: tuple[Sample, ...]) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_folder(folder, samples)
    return folder


@pytest.fixture(scope="module")
def train_flags(data: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    flags = {
        "pretrained_model_name_or_path": tiny_folder,
        "train_data_dir": data,
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
    flags = [*train_flags, "--max_train_steps=120", "--checkpointing_steps=40", "--random_flip"]
    assert main(["train", *flags, f"--output_dir={output}"]) == 0
    return output


def test_a_training_leaves_its_files(trained: Path) -> None:
    """Checkpoints, the last adapter, and a line of metrics for each step; nothing else."""
    assert sorted(path.name for path in trained.iterdir()) == [
        "checkpoint-120",
        "checkpoint-40",
        "checkpoint-80",
        "logs",
        "metrics.jsonl",
        "pytorch_lora_weights.safetensors",
        "run.json",
    ]
    last = (trained / "pytorch_lora_weights.safetensors").read_bytes()
    assert last == (trained / "checkpoint-120" / "pytorch_lora_weights.safetensors").read_bytes()
    about = read_info(last)
    assert about is not None
    assert (about.keyword, about.steps, about.rank, about.seed) == ("zorvex", 120, 4, 42)
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 121))
    assert lines[0]["lr"] == pytest.approx(2e-4)
    assert lines[4]["lr"] == lines[-1]["lr"] == pytest.approx(1e-3)


def test_a_killed_run_resumes_to_the_same_weights(
    trained: Path, train_flags: list[str], tmp_path: Path
) -> None:
    """After SIGKILL, --resume_from_checkpoint latest leads to the weights of a run that was not killed."""
    flags = [*train_flags, "--max_train_steps=120", "--checkpointing_steps=40", f"--output_dir={tmp_path}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lora", "train", *flags], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    waiting.until(lambda: _steps(tmp_path) > 45)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "pytorch_lora_weights.safetensors").exists()
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0
    mine = load_file(tmp_path / "pytorch_lora_weights.safetensors")
    theirs = load_file(trained / "pytorch_lora_weights.safetensors")
    assert mine.keys() == theirs.keys()
    assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) <= 1e-6
    assert _steps(tmp_path) == 120  # no line twice, none left out


@pytest.mark.parametrize("targets", ["attention", "attention+ff+conv"])
def test_other_layers_learn_go_on_are_compared_and_exported(
    targets: str, train_flags: list[str], data: Path, tiny_folder: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """Train, draw, compare and export with exactly the layers of --lora_targets in the file."""
    flags = [*train_flags, f"--lora_targets={targets}", "--checkpointing_steps=4"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(["train", *flags, "--max_train_steps=8", f"--output_dir={whole}"]) == 0
    assert main(["train", *flags, "--max_train_steps=4", f"--output_dir={broken}"]) == 0
    resume = ["--max_train_steps=8", "--resume_from_checkpoint=latest"]
    assert main(["train", *flags, f"--output_dir={broken}", *resume]) == 0
    mine, theirs = (load_file(run / "pytorch_lora_weights.safetensors") for run in (broken, whole))
    assert mine.keys() == theirs.keys()
    assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) <= 1e-6
    every = lora_layers.TARGETS["attention+ff+conv"]
    named = {name for name in every if any(f".{name}.lora" in key for key in mine)}
    assert named == set(lora_layers.TARGETS[targets])
    drawn = []
    for run in ([], [f"--adapter={whole / 'pytorch_lora_weights.safetensors'}"]):
        assert draw(tiny_folder, cache_dir, tmp_path / f"drawn-{len(run)}", *run) == 0
        drawn.append(_pixels(tmp_path / f"drawn-{len(run)}" / "000.png"))
    assert drawn[0] != drawn[1]
    where = ["--base", str(tiny_folder), "--train_data_dir", str(data), "--cache_dir", str(cache_dir)]
    assert main(["compare", str(whole), *where, "--num_prompts=2", "--steps=2"]) == 0
    for form in ("diffusers", "kohya"):
        out = tmp_path / f"{form}.safetensors"
        assert main(["export", str(whole), "--format", form, "--out", str(out)]) == 0
        assert len(load_file(out)) == len(mine) * (3 if form == "kohya" else 2) / 2
    half = tmp_path / "half.safetensors"
    assert main(["export", str(whole), "--format", "diffusers", "--half", "--out", str(half)]) == 0
    assert (
        half.stat().st_size < 0.7 * (tmp_path / "diffusers.safetensors").stat().st_size
    )  # names do not shrink
    assert draw(tiny_folder, cache_dir, tmp_path / "drawn-half", f"--adapter={half}") == 0


def _steps(output: Path) -> int:
    metrics = output / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


def test_a_first_start_may_ask_for_the_latest(train_flags: list[str], tmp_path: Path) -> None:
    """With latest and no checkpoint, the training starts from the beginning; a wrong name is an error."""
    flags = [*train_flags, "--num_train_epochs=1", f"--output_dir={tmp_path}"]
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0
    assert _steps(tmp_path) == 3  # six samples, two at a time
    assert main(["train", *flags, "--resume_from_checkpoint=checkpoint-7"]) == 2


def draw(tiny_folder: Path, cache_dir: Path, out: Path, *flags: str) -> int:
    prompts = out.with_suffix(".txt")
    prompts.write_text("a cat\n\nкот в очках\n", encoding="utf-8")
    fixed = ["--base", str(tiny_folder), "--prompts", str(prompts), "--cache_dir", str(cache_dir)]
    return main(["draw", *fixed, "--out", str(out), "--steps", "4", *flags])


def test_drawing_fills_a_folder(trained: Path, tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """A PNG for each prompt, numbered; the same command draws the same bytes; picture i has seed + i."""
    adapter = ["--adapter", str(trained / "pytorch_lora_weights.safetensors")]
    assert draw(tiny_folder, cache_dir, tmp_path / "a", *adapter, "--cfg", "5", "--seed", "7") == 0
    assert draw(tiny_folder, cache_dir, tmp_path / "b", *adapter, "--cfg", "5", "--seed", "7") == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["000.png", "001.png"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    with Image.open(tmp_path / "a" / "000.png") as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")
    (tmp_path / "one.txt").write_text("кот в очках", encoding="utf-8")
    flags = ["--prompts", str(tmp_path / "one.txt"), "--seed", "8", "--out", str(tmp_path / "c")]
    assert draw(tiny_folder, cache_dir, tmp_path / "d", *adapter, *flags) == 0
    pairs = zip(_pixels(tmp_path / "c/000.png"), _pixels(tmp_path / "a/001.png"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 1


def test_drawing_a_sweep(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Each prompt's pictures with each CFG, as they are drawn one by one, and a sheet of them."""
    assert draw(tiny_folder, cache_dir, tmp_path / "a", "--cfg", "3,5,8", "--seed", "7~2", "--n", "2") == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [*(f"{number:03d}.png" for number in range(12)), "sheet.png"]
    (tmp_path / "one.txt").write_text("a cat", encoding="utf-8")
    flags = [
        "--prompts",
        str(tmp_path / "one.txt"),
        "--seed",
        "7~3",
        "--cfg",
        "8",
        "--out",
        str(tmp_path / "b"),
    ]
    assert draw(tiny_folder, cache_dir, tmp_path / "c", *flags) == 0
    pairs = zip(_pixels(tmp_path / "b/000.png"), _pixels(tmp_path / "a/005.png"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 1


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--cfg", "0"), ("--seed", "1~x"), ("--strength", "1.6"), ("--outline", "pink"), ("--cutout", "x")],
)
def test_drawing_refuses_what_is_no_option(flag: str, value: str, tmp_path: Path) -> None:
    """With exit code 2, before a base is loaded."""
    (tmp_path / "one.txt").write_text("a cat", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["draw", "--prompts", str(tmp_path / "one.txt"), "--out", str(tmp_path / "a"), flag, value])
    assert ended.value.code == 2


def _pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


def test_check_uses_the_given_base(data: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tiny base's decoder draws only discs: check reports each sample as lost, with the reason and advice."""
    flags = ["--keyword", "sticker", "--base", str(tiny_folder)]
    assert main(["check", "--train_data_dir", str(data), *flags]) == 0
    said = capsys.readouterr().out
    assert "6 usable pictures, keyword sticker" in said
    assert "not a good one: ordinary" in said
    assert "000.png: lost in the base's VAE" in said
    assert "Do:  use drawings with thicker lines" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["train", "--train_data_dir", "{data}/nowhere"], "nowhere: no such folder"),
        (
            ["train", "--train_data_dir", "{data}", "--pretrained_model_name_or_path", "a/b", "--offline"],
            "python -m lora fetch a/b",
        ),
        (["train", "--train_data_dir", "{data}", "--device", "toaster"], "device toaster"),
        (["train", "--train_data_dir", "{data}", "--device", "meta"], "device meta: auto, cpu, cuda"),
        (["train", "--train_data_dir", "{data}", "--resolution", "65"], "multiple of 16"),
        (["draw", "--prompts", "{data}/none.txt", "--out", "x"], "none.txt"),
        (["draw", "--prompts", "{data}/metadata.jsonl", "--adapter", "{data}/000.png", "--out", "x"], "LoRA"),
        (["unpack", "sticker-nano", "{data}"], "no diffusers folder"),
    ],
)
def test_a_mistake_is_one_line(
    flags: list[str], said: str, data: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the reason on stderr, and no traceback."""
    flags = [flag.format(data=data) for flag in flags]
    name = {"train": "--pretrained_model_name_or_path", "draw": "--base"}.get(flags[0])
    if name and name not in flags:
        flags += [name, str(tiny_folder)]
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_largest_seed_trains(train_flags: list[str], tmp_path: Path) -> None:
    """The largest accepted seed works; nearest_exact is a value of the reference script that means nearest here."""
    largest = [
        "--seed=9223372036854775807",
        "--image_interpolation_mode=nearest_exact",
        "--max_train_steps=1",
    ]
    assert main(["train", *train_flags, *largest, f"--output_dir={tmp_path}"]) == 0
    assert json.loads((tmp_path / "run.json").read_text())["identity"]["interpolation"] == "nearest"


@pytest.mark.parametrize("command", ["draw", "compare", "demo"])
@pytest.mark.parametrize(
    ("text", "why"), [("Größe".encode("latin-1"), "not UTF-8 text"), (None, "no such file")]
)
def test_a_bad_file_of_prompts_is_named(
    command: str,
    text: bytes | None,
    why: str,
    trained: Path,
    data: Path,
    tiny_folder: Path,
    tmp_path: Path,
    cache_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line with the file and the reason, before anything is drawn."""
    prompts = tmp_path / "prompts.txt"
    if text is not None:
        prompts.write_bytes(text)
    where = (
        ["--out", str(tmp_path / "out")] if command == "draw" else [str(trained), f"--train_data_dir={data}"]
    )
    machine = [f"--base={tiny_folder}", f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1"]
    assert main([command, *where, *machine, "--prompts", str(prompts)]) == 2
    said = capsys.readouterr().err
    assert f"{prompts}: {why}" in said
    assert said.count("\n") == 1
