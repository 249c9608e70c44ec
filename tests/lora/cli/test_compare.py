"""lora compare and lora demo on a whole run: what they leave, what they say, and what they refuse."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lora.__main__ import main


@pytest.fixture(scope="module")
def machine(tiny_folder: Path, cache_dir: Path) -> list[str]:
    return [f"--base={tiny_folder}", f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1", "--steps=2"]


def test_compare_chooses_and_a_person_overrides(
    trained_run: Path,
    sample_folder: Path,
    machine: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The adapter that JSON names is the chosen checkpoint's; --choose changes it without drawing again."""
    trained = shutil.copytree(trained_run, tmp_path / "run")
    flags = [str(trained), f"--train_data_dir={sample_folder}", "--num_prompts=3", *machine]
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


@pytest.fixture(scope="module")
def compared_once(
    trained_run: Path, sample_folder: Path, machine: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run whose checkpoints have been compared, for all tests to copy."""
    run = tmp_path_factory.mktemp("compared") / "run"
    shutil.copytree(trained_run, run)
    assert main(["compare", str(run), f"--train_data_dir={sample_folder}", "--num_prompts=2", *machine]) == 0
    return run


@pytest.fixture
def compared(
    compared_once: Path, sample_folder: Path, machine: list[str], tmp_path: Path
) -> tuple[Path, list[str]]:
    """A run whose checkpoints have been compared, and the command that did it."""
    run = shutil.copytree(compared_once, tmp_path / "run")
    return run, ["compare", str(run), f"--train_data_dir={sample_folder}", "--num_prompts=2", *machine]


def test_a_persons_choice_stays(compared: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Compared again, the rule says its own and the person's step stays, and that is said."""
    run, command = compared
    rule = json.loads((run / "scores.json").read_text())["rule"]["step"]
    mine = next(step for step in (4, 8, 12) if step != rule)
    assert main([*command, f"--choose={mine}"]) == 0
    assert main(command) == 0
    told = capsys.readouterr().out
    assert f"You chose step {mine}." in told
    assert "--choose" in told
    assert json.loads((run / "chosen.json").read_text()) == {"step": mine, "by": "person"}
    best = (run / "best.safetensors").read_bytes()
    assert best == (run / f"checkpoint-{mine}" / "pytorch_lora_weights.safetensors").read_bytes()
    shutil.rmtree(run / f"checkpoint-{mine}")
    assert main([*command, "--json"]) == 0
    assert strictly(capsys.readouterr().out.splitlines()[-1])["by"] == "rule"
    assert json.loads((run / "chosen.json").read_text())["by"] == "rule"


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"scores": 5}',
        '{"train_data_dir": 5}',
        '{"cfg": NaN}',
        '{"cfg": 1e999}',
        '{"cfg": 1' + "0" * 400 + "}",
        '{"prompts": ["a cat"], "base": {"prompt": 0.1}, "rule": {"step": 4, "why": "x"}, "scores": []}',
    ],
)
def test_damaged_scores_are_named(
    content: str, compared: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    run, command = compared
    before = (run / "best.safetensors").read_bytes()
    (run / "scores.json").write_text(content)
    commands = [[*command, f"--choose={step}"] for step in (4, 8, 12)]
    if "train_data_dir" in content:
        commands.append([part for part in command if not part.startswith("--train_data_dir")])
    for damaged in commands:
        assert main(damaged) == 2
        assert f"{run / 'scores.json'}: damaged" in capsys.readouterr().err
    assert (run / "best.safetensors").read_bytes() == before


def test_a_choice_is_marked_on_the_pictures(
    compared: tuple[Path, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """The sheet and the curves mark the chosen step as if the rule had chosen it; the drawings stay as they are."""
    run, command = compared
    names = ("compare.png", "scores.png")
    rule = json.loads((run / "scores.json").read_text())["rule"]["step"]
    before = [pixels(run / name) for name in names]
    another = next(step for step in (4, 8, 12) if step != rule)
    seen = []
    for step in (step for step in (4, 8, 12) if step != rule):
        assert main([*command, f"--choose={step}"]) == 0
        seen.append([pixels(run / name) for name in names])
    for one, other in ((before, seen[0]), (before, seen[1]), (seen[0], seen[1])):
        assert all(a != b for a, b in zip(one, other, strict=True))
    assert main([*command, f"--choose={rule}"]) == 0
    assert [pixels(run / name) for name in names] == before
    (run / "compare.png").unlink()
    assert main([*command, f"--choose={rule}"]) == 0
    assert [pixels(run / name) for name in names] == before, "the drawings are files of their own"
    drawing = run / "compared" / "step-000008-01.png"
    whole = drawing.read_bytes()
    for spoil, why in (
        (b"no picture", "step-000008-01.png"),
        (whole[: len(whole) // 2], "damaged (step-000008-01.png)"),
    ):
        drawing.write_bytes(spoil)
        assert main([*command, f"--choose={another}"]) == 0
        assert why in caplog.text
        assert "without --choose it is drawn again" in caplog.text
        assert pixels(run / "compare.png") == before[0]
        caplog.clear()
    drawing.unlink()
    assert main([*command, f"--choose={another}"]) == 0
    assert "step-000008-01.png: gone" in caplog.text
    assert json.loads((run / "chosen.json").read_text())["step"] == another
    assert pixels(run / "scores.png") != before[1]
    assert main(command) == 0
    assert drawing.read_bytes() == whole


def test_the_drawings_of_a_sheet_are_files(compared: tuple[Path, list[str]]) -> None:
    """One for each row and column; a comparison of fewer prompts leaves none of an earlier one."""
    run, command = compared
    rows = ("base", "step-000004", "step-000008", "step-000012")

    def names() -> set[str]:
        return {path.name for path in (run / "compared").iterdir()}

    assert names() == {f"{row}-{column:02d}.png" for row in rows for column in range(2)}
    assert main([*command, "--num_prompts=1", "--seeds=2"]) == 0
    assert names() == {f"{row}-00.png" for row in rows}


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


def test_one_drawing_has_no_diversity(
    trained_run: Path,
    sample_folder: Path,
    machine: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is null in JSON that any program reads, and a dash in the table; nothing warns."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    flags = [str(run), f"--train_data_dir={sample_folder}", "--num_prompts=1", *machine]
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


def test_demo_draws_new_prompts(
    trained_run: Path, sample_folder: Path, machine: list[str], tmp_path: Path
) -> None:
    """Ten prompts at three CFG values; prompts and settings are beside the sheet; captions are refused."""
    trained = shutil.copytree(trained_run, tmp_path / "run")
    flags = [str(trained), f"--train_data_dir={sample_folder}", *machine]
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
    trained_run: Path,
    sample_folder: Path,
    machine: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No checkpoints, a step that is none: exit 2 and what to do."""
    assert main(["compare", str(tmp_path), *machine]) == 2
    assert "give the --output_dir of a training" in capsys.readouterr().err
    assert (
        main(["compare", str(trained_run), f"--train_data_dir={sample_folder}", "--choose=5", *machine]) == 2
    )
    assert "the checkpoints are 4, 8, 12" in capsys.readouterr().err
