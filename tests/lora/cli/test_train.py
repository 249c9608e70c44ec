"""An error in a training is one line that names the file, and no checkpoint is ever damaged."""

import ctypes
import json
import math
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from lora.__main__ import main
from lora.cli.training_report import TrainingReport
from lora.files import write_whole
from lora.jobs import Progress, Sample
from lora.training import loop
from lora.training.loss import denoising_loss
from tests import waiting
from tests.sample_folder import write_folder

ROOT = Path(__file__).parents[3]
ADAPTER = "pytorch_lora_weights.safetensors"


@pytest.fixture
def flags(data: Path, tmp_path: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    return given_flags(data, tmp_path / "run", tiny_folder, cache_dir)


def given_flags(data: Path, run: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    given = {
        "pretrained_model_name_or_path": tiny_folder,
        "train_data_dir": data,
        "output_dir": run,
        "cache_dir": cache_dir,
        "max_train_steps": 8,
        "checkpointing_steps": 4,
        "train_batch_size": 2,
        "learning_rate": "1e-3",
        "rank": 2,
        "threads": 1,
        "device": "cpu",
    }
    return [f"--{name}={value}" for name, value in given.items()]


@pytest.fixture(scope="module")
def trained_once(
    samples: tuple[Sample, ...], tiny_folder: Path, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A complete run with ``flags``, for tests to copy."""
    folder = tmp_path_factory.mktemp("trained")
    write_folder(folder / "data", samples)
    assert main(["train", *given_flags(folder / "data", folder / "run", tiny_folder, cache_dir)]) == 0
    return folder / "run"


def fails(flags: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must end with exit code 2 and one line on stderr; returns it."""
    capsys.readouterr()
    assert main(["train", *flags]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def start(flags: list[str], **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-m", "lora", "train", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


@pytest.mark.parametrize(
    "case", ["column", "missing", "cut off", "no picture", "csv", "latin", "long", "held out"]
)
def test_a_bad_data_set_names_its_file(
    case: str, data: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the file and the reason; nothing is written before."""
    table, picture = data / "metadata.jsonl", data / "003.png"
    if case == "column":
        flags = [*flags, "--caption_column=words"]
        wanted = [str(table), "line 1", "words", "'text'"]
    if case == "missing":
        picture.unlink()
        wanted = [str(table), "line 4", "003.png"]
    if case == "cut off":
        picture.write_bytes(picture.read_bytes()[:300])
        wanted = [str(picture), "cut off or damaged"]
    if case == "no picture":
        picture.write_bytes(b"hello")
        wanted = [str(picture), "only PNG, WebP and JPEG"]
    if case == "csv":
        table.unlink()
        (data / "metadata.csv").write_text("file_name,caption\n000.png,a cat\n")
        wanted = [str(data / "metadata.csv"), "line 2", "text is missing"]
    if case == "latin":
        table.write_bytes('{"file_name": "000.png", "text": "Größe"}'.encode("latin-1"))
        wanted = [str(table), "UTF-8"]
    if case in ("long", "held out"):  # too long only with the keyword
        row = {"file_name": "000.png", "text": "cat " * 68}
        table = data / "metadata.jsonl" if case == "long" else data.parent / "others" / "metadata.jsonl"
        table.parent.mkdir(exist_ok=True)
        (table.parent / "000.png").write_bytes(picture.read_bytes())
        table.write_text(json.dumps(row))
        flags = [*flags, "--keyword=zorvex", f"--validation_data_dir={table.parent}"]
        wanted = [str(table), "line 1", "'000.png'", "68 tokens; 66 fit"]
    said = fails(flags, capsys)
    assert all(word in said for word in wanted), said
    assert not (data.parent / "run").exists()


def test_a_table_may_be_csv(data: Path, flags: list[str]) -> None:
    """As a spreadsheet saves it: with a byte order mark, quotes, and commas in captions."""
    (data / "metadata.jsonl").unlink()
    text = '\ufefffile_name,text\r\n000.png,"a ball, red"\r\n001.png,a ball\r\n'
    (data / "metadata.csv").write_bytes(text.encode())
    assert main(["train", *flags]) == 0


@pytest.mark.parametrize(("keyword", "problem"), [("t-shirt", "ordinary"), ("zorvex", "")])
def test_an_unfit_keyword_is_warned_of(
    keyword: str, problem: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As check says it; the training goes on."""
    assert main(["train", *flags, f"--keyword={keyword}", "--max_train_steps=1"]) == 0
    said = capsys.readouterr()
    warning = f"the keyword is not a good one: {problem} ({keyword!r})"
    assert (warning in said.out + said.err) is bool(problem)
    assert ("not a good one" in said.out + said.err) is bool(problem)


@pytest.mark.parametrize("case", ["rank", "samples", "base", "fewer steps", "cut off", "garbage"])
def test_a_resume_from_elsewhere_is_refused(
    case: str,
    flags: list[str],
    trained_once: Path,
    tmp_path: Path,
    other_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message has the state file and what differs; the checkpoints do not change."""
    shutil.copytree(trained_once, tmp_path / "run")
    state = tmp_path / "run" / "checkpoint-4" / "state.safetensors"
    again = [*flags, "--resume_from_checkpoint=checkpoint-4"]
    if case == "rank":
        again, wanted = [*again, "--rank=3"], "rank was 2 and is 3"
    if case == "samples":
        again, wanted = [*again, "--max_train_samples=5"], "other samples"
    if case == "base":
        again, wanted = [*again, f"--pretrained_model_name_or_path={other_folder}"], "other base"
    if case == "fewer steps":
        again, wanted = [*again, "--max_train_steps=2"], "it is of step 4, and this training ends with step 2"
    if case == "cut off":
        state.write_bytes(state.read_bytes()[:-100])
        wanted = "damaged"
    if case == "garbage":
        state.write_bytes(b"garbage!" * 20)
        wanted = "damaged"
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("checkpoint-*/*")}
    said = fails(again, capsys)
    assert str(state) in said
    assert wanted in said
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").glob("checkpoint-*/*")}


def test_a_diverging_run_says_what_to_try(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a loss that is not a number no checkpoint is saved, and the message suggests a lower rate."""
    monkeypatch.setattr(loop, "denoising_loss", lambda *given: math.inf * denoising_loss(*given))
    said = fails(flags, capsys)
    assert "--learning_rate" in said
    assert not (tmp_path / "run" / ADAPTER).exists()
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def test_a_full_disk_leaves_whole_checkpoints(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message of a failed write has the file; no part of the file is left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        said = fails([*flags, "--report_to=none", "--resume_from_checkpoint=latest"], capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written" in said
    assert "checkpoint-4" in said
    assert "Make room" in said
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["metrics.jsonl", "run.json"]
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0


def test_a_file_in_the_way_is_not_a_full_disk(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An output folder is refused before anything is loaded, a checkpoint when it is written; no advice about space."""
    blocked = tmp_path / "run" / "checkpoint-4"
    blocked.parent.mkdir()
    blocked.write_text("mine")
    said = fails(flags, capsys)
    assert f"{blocked}: cannot be written: Not a directory" in said
    assert "room" not in said
    assert blocked.read_text() == "mine"
    for folder in (blocked, blocked / "deeper"):
        said = fails([*flags, f"--output_dir={folder}", "--pretrained_model_name_or_path=nowhere"], capsys)
        assert f"--output_dir {folder}: {blocked} is a file" in said


@pytest.mark.parametrize("flag", ["train_data_dir", "validation_data_dir"])
@pytest.mark.parametrize("inside", ["", "validation", "compared"])
def test_the_output_is_apart_from_the_samples(
    flags: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, inside: str
) -> None:
    """Else --overwrite_output_dir could remove samples. The base is not loaded, and no file is written."""
    samples = tmp_path / "run" / inside
    shutil.copytree(data, samples)
    before = sorted(samples.rglob("*"))
    said = fails([*flags, f"--{flag}={samples}", "--pretrained_model_name_or_path=nowhere"], capsys)
    assert f"--{flag} is there; train into a folder of its own" in said
    assert sorted(samples.rglob("*")) == before


def test_a_folder_without_write_permission_is_refused_at_once(flags: list[str], tmp_path: Path) -> None:
    """Before the base is loaded, with the folder's name. The test also works for root: it gives up root's rights."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)

    def without_rights() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    process = start([*flags, f"--output_dir={closed / 'run'}"], preexec_fn=without_rights)
    _, said = waiting.output_of(process)
    assert process.returncode == 2, said
    assert said.endswith(
        f"--output_dir {closed / 'run'}: nothing can be written into {closed}: Permission denied\n"
    )


def test_a_write_that_fails_names_the_file_itself(tmp_path: Path) -> None:
    """The error has the name of the file, not of the hidden file that is written first."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file") as failed:
        write_whole(tmp_path / "file" / "metrics.jsonl", b"")
    assert failed.value.filename == str(tmp_path / "file" / "metrics.jsonl")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as failed:
        write_whole(tmp_path / "folder", b"")
    assert failed.value.filename == str(tmp_path / "folder")
    assert not list(tmp_path.glob(".*"))


@contextmanager
def signal_at(step: int, number: int, times: int = 1) -> Iterator[None]:
    """Sends a signal to this process when a training has reached a step."""
    handle = TrainingReport.handle

    def handled(self: TrainingReport, event: Any) -> None:
        handle(self, event)
        if isinstance(event, Progress) and event.step == step:
            for _ in range(times):
                signal.raise_signal(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingReport, "handle", handled)
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_goes_on_to_the_same_weights(
    number: int, flags: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C: exit code 130, a checkpoint of the running step, how to go on; a resume ends with the same weights."""
    flags = [*flags, "--max_train_steps=12", "--checkpointing_steps=500", "--ema_decay=0.9"]
    flags += ["--caption_dropout=0.3", "--snr_gamma=5", "--noise_offset=0.1", "--lora_targets=attention"]
    flags += ["--style_words=wax crayon"]
    with signal_at(5, number), pytest.raises(SystemExit) as ended:
        main(["train", *flags])
    assert ended.value.code == 130
    said, error = capfd.readouterr()
    assert error.count("finishing this step and saving it; Ctrl-C once more ends at once") == 1
    (saved,) = (tmp_path / "run").glob("checkpoint-*")
    assert f"interrupted after step {saved.name.split('-')[1]}; go on with --resume" in said
    assert not (tmp_path / "run" / ADAPTER).exists()
    if number == signal.SIGTERM:
        return  # both signals save in the same way
    assert main(["train", *flags, "--resume_from_checkpoint=latest"]) == 0
    assert 'captions ended and prompts end with "wax crayon"' in capfd.readouterr().out
    assert main(["train", *flags, f"--output_dir={tmp_path / 'whole'}"]) == 0
    mine, theirs = (load_file(tmp_path / name / ADAPTER) for name in ("run", "whole"))
    assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) <= 1e-6
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))


def test_a_second_interrupt_ends_at_once_and_names_the_last_checkpoint(
    flags: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130, nothing is saved, and the checkpoint that the run can go on from."""
    with signal_at(6, signal.SIGINT, times=2), pytest.raises(SystemExit) as ended:
        main(["train", *flags, "--report_to=none"])
    assert ended.value.code == 130
    said, error = capfd.readouterr()
    assert error.count("finishing this step") == 1
    (last,) = (tmp_path / "run").glob("checkpoint-*")
    assert last.name == "checkpoint-4"
    assert said.endswith(f"ended at once; --resume_from_checkpoint latest goes on from {last}\n")


def test_a_limit_rotates_states_and_keeps_adapters(flags: list[str], tmp_path: Path) -> None:
    """--checkpoints_total_limit deletes only states, never adapters: the last one is seldom the best."""
    assert main(["train", *flags, "--checkpointing_steps=2", "--checkpoints_total_limit=2"]) == 0
    run = tmp_path / "run"
    assert len(list(run.glob(f"checkpoint-*/{ADAPTER}"))) == 4
    states = sorted(path.parent.name for path in run.glob("checkpoint-*/state.safetensors"))
    assert states == ["checkpoint-6", "checkpoint-8"]


def test_a_terminal_gets_a_bar(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar with steps, loss, rate and time left."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    shown: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # how Linux says that the other end is closed
            while True:
                shown.append(os.read(leader, 4096))

    reading = threading.Thread(target=read)
    reading.start()
    with open(follower, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        assert main(["train", *flags]) == 0
    reading.join()
    os.close(leader)
    text = b"".join(shown).decode()
    assert "8/8" in text
    assert "loss " in text
    assert "rate 1.60e-04" in text  # 8 of 50 steps of warm-up


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("--prediction_type=epsilon", "predicts v_prediction"),
        ("--background=plaid", "auto, white"),
        (f"--style_words={'x' * 201}", "201 characters; 200 are the most"),
        ("--dataset_name=someone/pictures", "hf download someone/pictures --repo-type dataset"),
        ("--validation_share=1", "leave none to learn from"),
    ],
)
def test_wrong_values_are_refused(
    wrong: str, said: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Values that can be checked only with the base or the samples: the error is one line, too."""
    assert said in fails([*flags, wrong], capsys)


def in_this_process(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(command) == 0
    return capsys.readouterr().err


def through_accelerate(command: list[str], _: pytest.CaptureFixture[str]) -> str:
    accelerate = shutil.which("accelerate", path=str(Path(sys.executable).parent))
    assert accelerate is not None
    done = waiting.run([accelerate, "launch", "--num_processes=1", "-m", "lora", *command], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("run", [in_this_process, pytest.param(through_accelerate, marks=pytest.mark.slow)])
def test_the_reference_command_runs(
    run: Callable[[list[str], pytest.CaptureFixture[str]], str],
    data: Path,
    tmp_path: Path,
    tiny_folder: Path,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The published command; only base, resolution and length differ. Its launcher tells it to use the CPU."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = (
        f"train --pretrained_model_name_or_path={tiny_folder} --train_data_dir={data}/ "
        "--caption_column=text --resolution=64 --random_flip --train_batch_size=1 --num_train_epochs=4 "
        "--checkpointing_steps=10 --learning_rate=1e-4 --lr_scheduler=constant --lr_warmup_steps=50 --seed=42 "
        f"--output_dir={tmp_path / 'tuned'} --validation_epochs=3 --cache_dir={cache_dir}"
    ).split()
    errors = run([*command, "--validation_prompt=a ball, skiing badly"], capsys)
    output = tmp_path / "tuned"
    assert "steps:" not in errors  # no bar where there is no terminal
    assert {path.name for path in output.glob("checkpoint-*")} == {
        "checkpoint-10",
        "checkpoint-20",
        "checkpoint-24",
    }
    drawn = {path.name for path in (output / "validation").iterdir()}
    assert drawn == {f"step-0000{step}-{number}.png" for step in ("00", "18", "24") for number in range(4)}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(output / "logs"), size_guidance={"images": 0, "scalars": 0})
    log.Reload()
    assert [point.step for point in log.Scalars("loss")] == list(range(1, 25))
    assert log.Scalars("learning rate")[-1].value == pytest.approx(24 / 50 * 1e-4)
    assert {point.step for point in log.Images("validation")} == {0, 18, 24}
