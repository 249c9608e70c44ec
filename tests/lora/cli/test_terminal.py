"""What the commands read from files of text; a mistake is one line on stderr and exit code 2."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from lora.__main__ import main
from lora.cli import terminal
from lora.cli.run_record import RunRecord, read_record, write_record


def test_a_byte_order_mark_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    """Editors on Windows write one. Lines are ignored that are empty to the eye."""
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa cat\r\n\r\n\u200b\n a \u202edog \n".encode())
    assert terminal.read_lines(path) == ["a cat", "a dog"]


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
        (["draw", "--prompts", "{data}", "--out", "x"], "it is a folder; give a text file"),
        (
            ["check", "{data}", "--cache_dir", "{data}/metadata.jsonl/x"],
            "metadata.jsonl is a file; give a folder",
        ),
        (["draw", "--prompts", "{data}/metadata.jsonl", "--out", "/proc/x"], "can be written into /proc"),
        (["train", "--train_data_dir", "{data}", "--output_dir", "/proc/x"], "can be written into /proc"),
        (["draw", "--prompts", "{data}/metadata.jsonl", "--adapter", "{data}/000.png", "--out", "x"], "LoRA"),
        (["unpack", "sticker-nano", "{data}"], "no diffusers folder"),
    ],
)
def test_a_mistake_is_one_line(
    flags: list[str], said: str, sample_folder: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the reason on stderr, and no traceback."""
    flags = [flag.format(data=sample_folder) for flag in flags]
    name = {"train": "--pretrained_model_name_or_path", "draw": "--base"}.get(flags[0])
    if name and name not in flags:
        flags += [name, str(tiny_folder)]
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["draw", "compare", "demo"])
@pytest.mark.parametrize(
    ("text", "why"), [("Größe".encode("latin-1"), "not UTF-8 text"), (None, "no such file")]
)
def test_a_bad_file_of_prompts_is_named(
    command: str,
    text: bytes | None,
    why: str,
    trained_run: Path,
    sample_folder: Path,
    tiny_folder: Path,
    tmp_path: Path,
    cache_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line with the file and the reason, before anything is drawn."""
    prompts = tmp_path / "prompts.txt"
    if text is not None:
        prompts.write_bytes(text)
    where = [str(trained_run), f"--train_data_dir={sample_folder}"]
    if command == "draw":
        where = [f"--out={tmp_path / 'out'}"]
    machine = [f"--base={tiny_folder}", f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1"]
    assert main([command, *where, *machine, "--prompts", str(prompts)]) == 2
    said = capsys.readouterr().err
    assert f"{prompts}: {why}" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "pictures"),
    [
        (["demo", "{run}", "--train_data_dir={data}"], 10),
        (["compare", "{run}", "--train_data_dir={data}", "--seeds=3"], 3),
        (["invent", "{table}", "--out={out}", "--n=4"], 8),
        (["train", "--train_data_dir={data}", "--output_dir={out}", "--validation_prompt=a cat"], 4),
    ],
)
def test_seeds_up_to_the_largest_one(
    flags: list[str],
    pictures: int,
    trained_run: Path,
    sample_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last picture's seed can be asked for, else the largest first one is named, and nothing is drawn."""
    (tmp_path / "captions.txt").write_text("a cat\na dog\n")
    places = {"run": trained_run, "data": sample_folder, "table": tmp_path / "captions.txt"}
    command = [flag.format(**places, out=tmp_path / "out") for flag in flags]
    base = "--pretrained_model_name_or_path" if command[0] == "train" else "--base"
    machine = [f"{base}=no-such-base", "--offline", "--threads=1"]
    for seed in (2**63 - pictures + 1, 2**63 - 1):
        assert main([*command, f"--seed={seed}", *machine]) == 2
        said = capsys.readouterr().err
        assert f"--seed {seed}: with so many pictures, {2**63 - pictures} is the largest one" in said
        assert said.count("\n") == 1
    assert main([*command, f"--seed={2**63 - pictures}", *machine]) == 2
    assert "no-such-base" in capsys.readouterr().err, "this one is refused for its base alone"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_names_that_a_terminal_cannot_show(
    encoding: str, sample_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old archives have names in other encodings than UTF-8. They are escaped, and JSON stays JSON."""
    name = os.fsdecode(b"caf\xe9 ") + "🦊"
    picture = (sample_folder / "000.png").read_bytes()
    for suffix, data in ((".png", picture), (".txt", b"x")):
        (tmp_path / f"{name}{suffix}").write_bytes(data)
    for more in ([], ["--json"]):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding, errors="strict"))
        assert main(["check", str(tmp_path), "--quick", *more]) == 0
        said = written.getvalue().decode(encoding)
        if more:
            assert f"{name}.png" in json.loads(said)["findings"][-1]["files"]
        else:
            assert "caf\\udce9 " in said


@pytest.mark.parametrize("flag", ["--output_dir", "--logging_dir"])
def test_a_folder_that_tensorboard_cannot_name(
    flag: str, sample_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anything is loaded, with the way out."""
    written = io.BytesIO()
    stderr = io.TextIOWrapper(written, errors="backslashreplace", write_through=True)  # as Python's own
    monkeypatch.setattr(sys, "stderr", stderr)
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    command = ["train", f"--train_data_dir={sample_folder}", f"--output_dir={tmp_path}", f"{flag}={odd}"]
    command += ["--pretrained_model_name_or_path=no-such-base", "--offline"]
    assert main(command) == 2
    said = written.getvalue().decode()
    assert "TensorBoard takes no names that are not UTF-8" in said
    assert said.count("\n") == 1
    assert main([*command, "--report_to=none"]) == 2
    assert "no-such-base" in written.getvalue().decode()
    assert not odd.exists()


def test_a_folder_of_such_a_name_is_remembered(tmp_path: Path) -> None:
    """run.json is UTF-8, and says it in an escape."""
    record = RunRecord(
        base="tiny",
        train_data_dir=os.fsdecode(b"/caf\xe9") + "/é",
        image_column="image",
        caption_column="text",
        max_train_samples=None,
        identity={},
    )
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert "\\udce9/é" in (tmp_path / "run.json").read_text(encoding="utf-8")
