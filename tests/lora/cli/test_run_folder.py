"""A run's folder holds one training, says what it came from, and never loses what an earlier run has left."""

import argparse
import errno
import json
import math
import os
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from lora.__main__ import main
from lora.cli import run_folder
from lora.cli.terminal import UsageError
from lora.jobs import Sample
from lora.training import loop
from lora.training.loss import denoising_loss
from tests.sample_folder import write_folder

ADAPTER = "pytorch_lora_weights.safetensors"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def flags(data: Path, run: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    return given_flags(data, run, tiny_folder, cache_dir)


def given_flags(data: Path, run: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    given = {
        "pretrained_model_name_or_path": tiny_folder,
        "train_data_dir": data,
        "output_dir": run,
        "cache_dir": cache_dir,
        "max_train_steps": 4,
        "checkpointing_steps": 2,
        "train_batch_size": 2,
        "rank": 2,
        "threads": 1,
        "device": "cpu",
    }
    return [f"--{name}={value}" for name, value in given.items()]


@pytest.fixture
def machine(cache_dir: Path) -> list[str]:
    return [f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1", "--steps=2"]


@pytest.fixture(scope="module")
def trained_once(
    samples: tuple[Sample, ...], tiny_folder: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A complete run with ``flags``, for all tests to copy."""
    folder = tmp_path_factory.mktemp("trained")
    write_folder(folder / "data", samples)
    assert main(["train", *given_flags(folder / "data", folder / "run", tiny_folder, cache_dir)]) == 0
    return folder / "run"


@pytest.fixture
def trained(trained_once: Path, run: Path) -> Path:
    """``run`` as it is after a training with ``flags``."""
    return shutil.copytree(trained_once, run)


@pytest.fixture(scope="module")
def used_once(
    samples: tuple[Sample, ...], tiny_folder: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run with all that train, compare and demo can leave in it, for all tests to copy."""
    folder = tmp_path_factory.mktemp("used")
    write_folder(folder / "data", samples)
    run, machine = folder / "run", [f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1", "--steps=2"]
    flags = given_flags(folder / "data", run, tiny_folder, cache_dir)
    assert main(["train", *flags, "--validation_prompt=a cat", "--num_validation_images=1"]) == 0
    assert main(["compare", str(run), "--num_prompts=2", *machine]) == 0
    assert main(["demo", str(run), "--cfg=5", *machine]) == 0
    return run


@pytest.fixture
def used(used_once: Path, run: Path) -> Path:
    """``run`` as it is after a training, a comparison and a demo."""
    return shutil.copytree(used_once, run)


def fails(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command, which must end with exit code 2 and one line on stderr; returns it."""
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_trainings_never_share_a_folder(
    flags: list[str], trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A used folder is refused before anything is loaded, with all three ways out; nothing in it changes."""
    before = files(run)
    said = fails(["train", *flags, "--rank=3", "--pretrained_model_name_or_path=nowhere"], capsys)
    assert f"{run}: there is a training in it (checkpoint-2, checkpoint-4, {ADAPTER})" in said
    for way in ("--resume_from_checkpoint latest", "another --output_dir", "--overwrite_output_dir"):
        assert way in said
    assert files(run) == before
    said = fails(["train", *flags, "--overwrite_output_dir", "--resume_from_checkpoint=latest"], capsys)
    assert "give one of them" in said
    for state in run.glob("*/state.safetensors"):
        state.unlink()
    said = fails(["train", *flags, "--resume_from_checkpoint=latest"], capsys)
    assert "no state.safetensors to go on from" in said


@pytest.mark.parametrize("how", [[], ["--overwrite_output_dir"], ["--resume_from_checkpoint=latest"]])
@pytest.mark.parametrize("late", [False, True])
def test_a_folder_that_a_training_writes_into_is_refused(
    how: list[str],
    late: bool,
    flags: list[str],
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once, or before the first file if both were started together. Afterwards the folder is free."""
    run.mkdir()
    if late:
        monkeypatch.setattr(run_folder, "check_unused", lambda output: None)
    else:
        how = [*how, "--pretrained_model_name_or_path=nowhere"]
    with run_folder.writing(run):
        said = fails(["train", *flags, *how], capsys)
        assert (
            f"{run}: a training, or a comparison, is under way in it; train into another --output_dir" in said
        )
        assert files(run) == {}
    run_folder.check_unused(run)


def test_a_comparison_keeps_its_run(
    flags: list[str], trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the old run's chosen adapter would lie among the new one's files. A training keeps no comparison out."""
    before = files(run)
    with run_folder.reading(run):
        said = fails(["train", *flags, "--overwrite_output_dir"], capsys)
        assert f"{run}: a training, or a comparison, is under way in it" in said
    assert files(run) == before
    with run_folder.writing(run), run_folder.reading(run):
        assert files(run) == before
    with run_folder.reading(run / "nowhere"):
        assert files(run) == before


@pytest.mark.parametrize("command", ["compare", "demo"])
def test_a_run_is_kept_while_it_is_drawn(command: str, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both commands keep it from their first to their last line."""
    run.mkdir()
    module = import_module(f"lora.cli.{command}")

    def refused(args: argparse.Namespace) -> None:
        with pytest.raises(UsageError, match="is under way in it"), run_folder.writing(args.run):
            pass

    monkeypatch.setattr(module, "_run", refused)
    assert main([command, str(run)]) == 0
    with run_folder.writing(run):
        pass


def test_a_training_that_ended_meanwhile_stays(
    flags: list[str],
    trained_once: Path,
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two were started together, and the other one was done before this one's first step."""

    def ended(args: argparse.Namespace) -> None:
        shutil.copytree(trained_once, args.output_dir)

    monkeypatch.setattr("lora.cli.train._check_output", ended)
    assert "there is a training in it" in fails(["train", *flags], capsys)
    assert files(run) == files(trained_once)


def test_a_file_system_without_locks_is_told(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some network file systems have none; the training goes on."""

    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with run_folder.writing(run):
        run_folder.check_unused(run)
    assert caplog.messages == [f"{run}: no lock (No locks available): start no other training there"]


def test_overwriting_leaves_nothing_of_the_old_run(flags: list[str], used: Path) -> None:
    """Checkpoints, pictures, figures, comparison and demo of the old one go, and no other file; once it begins."""
    run = used
    (run / "mine.safetensors").write_bytes(b"exported")
    again = ["train", *flags, "--overwrite_output_dir", "--max_train_steps=3", "--checkpointing_steps=3"]
    before = files(run)
    assert main([*again, "--background=plaid"]) == 2
    assert files(run) == before
    assert main(again) == 0
    left = {name for name in files(run) if not name.startswith("logs/")}
    assert left == {
        "mine.safetensors",
        "run.json",
        "metrics.jsonl",
        ADAPTER,
        f"checkpoint-3/{ADAPTER}",
        "checkpoint-3/state.safetensors",
    }
    assert len(list((run / "logs").iterdir())) == 1
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3


def test_clear_leaves_nothing_of_a_run(used: Path, machine: list[str]) -> None:
    """After train, compare, demo and a choice every file is known to ``clear``; files of other kinds stay."""
    run = used
    assert main(["compare", str(run), "--choose=2", *machine]) == 0
    left = {"mine.png", "compared/mine.png", "validation/mine.png", "logs/mine.txt"}
    for name in left:
        (run / name).touch()
    run_folder.clear(run, run / "logs")
    assert set(files(run)) == left
    for name in left:
        (run / name).unlink()
    run_folder.clear(run, run / "logs")
    assert list(run.iterdir()) == []


def test_a_run_that_fails_changes_no_figures(
    flags: list[str], trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused resume leaves metrics.jsonl, and everything else, as it was."""
    before = files(run)
    resume = ["train", *flags, "--resume_from_checkpoint=checkpoint-2"]
    assert "rank was 2 and is 3" in fails([*resume, "--rank=3"], capsys)
    said = fails(
        [*resume, "--timestep_sampling=log-snr -2"], capsys
    )  # what another version has as its default
    assert "timestep_sampling was stratified and is log-snr -2; resume with the settings of that run" in said
    assert files(run) == before


def test_a_run_without_checkpoints_may_be_started_again(
    flags: list[str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any checkpoint there is nothing to lose: the same command may be given again, and leaves one run."""
    with monkeypatch.context() as diverging:
        diverging.setattr(loop, "denoising_loss", lambda *given: math.inf * denoising_loss(*given))
        assert main(["train", *flags]) == 2
    assert (run / "run.json").is_file()
    assert main(["train", *flags]) == 0
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert len(list((run / "logs").iterdir())) == 1


def test_a_checkpoint_from_elsewhere_does_not_mix_runs(
    flags: list[str], trained: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may go on in a fresh folder, or in one of the same training; not in that of another one."""
    other = tmp_path / "other"
    assert main(["train", *flags, "--seed=1", f"--output_dir={other}"]) == 0
    before = files(run)
    resume = [f"--resume_from_checkpoint={other / 'checkpoint-2'}", "--seed=1"]
    said = fails(["train", *flags, *resume], capsys)
    assert f"{run}: there is another training in it (seed was 0 and is 1)" in said
    assert files(run) == before
    (run / "run.json").unlink()
    assert "another training in it" in fails(["train", *flags, *resume], capsys)
    assert main(["train", *flags, *resume, f"--output_dir={tmp_path / 'fresh'}"]) == 0


def test_other_steps_under_a_schedule_that_ends_with_them_are_another_run(
    flags: list[str], trained_once: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """cosine over 4 steps is not the beginning of cosine over 8; constant may go on for longer."""
    cosine = ["train", *flags, "--lr_scheduler=cosine", f"--output_dir={tmp_path / 'cosine'}"]
    assert main(cosine) == 0
    longer = ["--max_train_steps=8", "--resume_from_checkpoint=latest"]
    assert "steps was 4 and is 8" in fails([*cosine, *longer], capsys)
    shutil.copytree(trained_once, run)
    assert main(["train", *flags, *longer]) == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 8


def test_compare_and_demo_need_nothing_but_the_run(
    flags: list[str],
    run: Path,
    data: Path,
    tiny_folder: Path,
    machine: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Base, folder and columns are those of the training; a folder that has moved is told, with what to do."""
    table = data / "metadata.jsonl"
    table.write_text(table.read_text().replace('"text"', '"words"').replace('"file_name"', '"a_file_name"'))
    few = run.parent / "prompts.txt"
    few.write_text("a cat\n")
    demo = ["demo", str(run), "--cfg=5", f"--prompts={few}", *machine]
    assert main(["train", *flags, "--caption_column=words", "--image_column=a"]) == 0
    origin = json.loads((run / "run.json").read_text())
    assert (origin["base"], origin["train_data_dir"]) == (str(tiny_folder), str(data))
    assert "ball number" not in json.dumps(origin)  # nothing of the captions
    assert main(demo) == 0
    assert main(["compare", str(run), "--num_prompts=2", *machine]) == 0
    moved = data.rename(data.with_name("moved"))
    for word in ("compare", "demo"):
        said = fails([word, str(run), *machine], capsys)
        assert f"its samples were in {data}" in said
        assert "--train_data_dir" in said
    assert main([*demo, f"--train_data_dir={moved}"]) == 0


def test_a_relative_folder_is_remembered_as_given(
    flags: list[str], run: Path, data: Path, machine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.json keeps a relative path, so a project can be moved as a whole."""
    monkeypatch.chdir(data.parent)
    assert main(["train", *flags, "--train_data_dir=data", "--max_train_samples=5"]) == 0
    origin = json.loads((run / "run.json").read_text())
    assert (origin["train_data_dir"], origin["max_train_samples"]) == ("data", 5)
    whole = shutil.copytree(data.parent, data.parent.with_name(f"{data.parent.name}-copy"))
    monkeypatch.chdir(whole)
    assert main(["compare", "run", "--num_prompts=2", *machine]) == 0
    assert json.loads(Path("run/scores.json").read_text())["train_data_dir"] == str(whole / "data")


@pytest.mark.parametrize("content", ["{", "[]", '{"base": 3}', "\xff", "[" * 100_000])
def test_a_damaged_origin_is_one_line(
    content: str,
    trained: Path,
    run: Path,
    flags: list[str],
    machine: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The file is named, and how to do without it."""
    (run / "run.json").write_bytes(content.encode("latin-1"))
    for command in (["demo", str(run), *machine], ["train", *flags, "--resume_from_checkpoint=checkpoint-2"]):
        said = fails(command, capsys)
        assert f"{run / 'run.json'}: damaged" in said


@pytest.mark.parametrize(
    "line",
    ["{", "3", "null", '{"loss": 1}', '{"step": "x"}', "\xff", "[" * 100_000, '{"step": 1' + "0" * 400 + "}"],
)
def test_damaged_figures_are_named_with_their_line(line: str, run: Path) -> None:
    """Nothing is written over them."""
    metrics = run / "metrics.jsonl"
    run.mkdir()
    metrics.write_bytes(b'{"step": 1, "loss": 0.5}\n' + line.encode("latin-1") + b"\n")
    before = files(run)
    with pytest.raises(run_folder.DamagedMetrics, match=r"metrics\.jsonl, line 2: no figures of a step"):
        run_folder.Metrics(run, steps_done=1)
    assert files(run) == before


def test_a_resume_with_damaged_figures_is_refused(
    trained: Path, run: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing changes; without the damaged file the run goes on."""
    metrics = run / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes() + b"{\n")
    before = files(run)
    resume = ["train", *flags, "--resume_from_checkpoint=checkpoint-2"]
    assert f"{metrics}, line 5: no figures of a step" in fails(resume, capsys)
    assert files(run) == before
    metrics.unlink()
    assert main(resume) == 0


@pytest.mark.parametrize("case", ["missing", "cut off", "garbage", "folder", "other"])
def test_a_bad_adapter_is_named(
    case: str,
    trained: Path,
    run: Path,
    tmp_path: Path,
    tiny_folder: Path,
    machine: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever reads it says which file it is, in words: compare, demo, draw and export."""
    bad = run / "checkpoint-2" / ADAPTER
    whole = bad.read_bytes()
    if case == "missing":
        bad, wanted = tmp_path / "nothing.safetensors", "there is no such file"
    if case == "cut off":
        bad.write_bytes(whole[:-100])
        wanted = "damaged"
    if case == "garbage":
        bad.write_bytes(b"garbage!" * 20)
        wanted = "damaged"
    if case == "folder":
        bad, wanted = tmp_path, "cannot be read"
    if case == "other":
        bad.write_bytes(save({"x": torch.zeros(1)}))
        wanted = "belongs to no LoRA layer"
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\n")
    drawn = ["draw", f"--base={tiny_folder}", f"--prompts={prompts}", f"--out={tmp_path / 'out'}", *machine]
    said = fails([*drawn, f"--adapter={bad}"], capsys)
    assert str(bad) in said
    assert wanted in said
    if case != "other":  # demo says of a stranger that it is none
        said = fails(["demo", str(run), f"--adapter={bad}", *machine], capsys)
        assert f"{bad}: " in said
        assert wanted in said
    if case in ("cut off", "garbage"):
        assert f"{bad}: " in fails(["compare", str(run), *machine], capsys)
    if case not in ("missing", "folder"):
        exported = ["export", str(bad), "--format=kohya", f"--out={tmp_path / 'x.safetensors'}"]
        assert f"{bad}: " in fails(exported, capsys)


def test_logs_outside_of_the_folder_stay(flags: list[str], tmp_path: Path) -> None:
    """Several runs may write theirs into one place: overwriting one of them removes no other's."""
    command = ["train", *flags, f"--logging_dir={tmp_path / 'logs'}"]
    assert main([*command, f"--output_dir={tmp_path / 'other'}"]) == 0
    before = files(tmp_path / "logs")
    assert main(command) == 0
    assert main([*command, "--overwrite_output_dir"]) == 0
    assert before.items() <= files(tmp_path / "logs").items()
    assert len(files(tmp_path / "logs")) == 3


def test_what_is_left_is_named_in_its_order(tmp_path: Path) -> None:
    """Checkpoints are sorted by their steps as numbers."""
    for step in (100, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / run_folder.ADAPTER).touch()
    (tmp_path / "checkpoint-x").mkdir()
    assert run_folder.adapters_in(tmp_path) == ["checkpoint-20", "checkpoint-100"]
