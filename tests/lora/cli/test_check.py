"""``check`` on the command line: every bad file with its reason, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lora.__main__ import main
from lora.data.captions import keyword_problem
from tests.lora.checks.drawings import DEMO, drawing, png, write


def test_the_command_names_every_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its own reason, in one go, with exit code 1; good ones keep their numbers beside bad ones."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    (tmp_path / "again.png").write_bytes(png(drawing(1)))
    (tmp_path / "cut.png").write_bytes(png(drawing(2))[:900])
    rows = [
        {"file_name": "cut.png", "text": "zorvex a cat asleep"},
        "{not json",
        {"file_name": "fox.png", "text": "zorvex a red fox"},
        {"file_name": "none.png", "text": "zorvex a lamp"},
        {"file_name": "again.png", "text": "zorvex a second fox"},
        {"file_name": "../out.png", "text": "zorvex a way out"},
        {"file_name": "fox.png", "caption": "wrong column"},
    ]
    assert main(["check", str(write(tmp_path, rows)), "--quick", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["trainable"]
    assert report["keyword"] == "zorvex"
    bad = {f["files"][0]: f["detail"] for f in report["findings"] if f["code"] == "unreadable"}
    assert list(bad) == ["cut.png", "metadata.jsonl, line 2", "none.png", "../out.png", "fox.png"]
    assert "damaged" in bad["cut.png"]
    assert "outside" in bad["../out.png"]
    assert "'caption'" in bad["fox.png"]
    (same,) = [f for f in report["findings"] if f["code"] == "near-duplicates"]
    assert (same["files"], same["samples"]) == (["fox.png", "again.png"], [3, 5])
    assert all(f["why"] and f["advice"] and f["severity"] for f in report["findings"])
    assert "lettering" not in report["looked_for"]


@pytest.mark.parametrize("table", [None, "", "\n\n", b"\xff\xfe\x00"])
def test_a_folder_without_a_usable_table(
    table: str | bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prevents a training, so the exit code is 1 and the report still is JSON."""
    if table is not None:
        (tmp_path / "metadata.jsonl").write_bytes(table.encode() if isinstance(table, str) else table)
    assert main(["check", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["files"] == ["metadata.jsonl"]
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert main(["check"]) == 2


def test_a_table_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A training takes it, so it is judged in the same way: good rows and bad ones, and a file that is no CSV."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    table = tmp_path / "metadata.csv"
    table.write_text('file_name,text\nfox.png,"zorvex a fox, red"\nnone.png,zorvex a lamp\nfox.png\n')
    assert main(["check", str(tmp_path), "--quick", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    bad = [f["files"] for f in report["findings"] if f["code"] == "unreadable"]
    assert (report["pictures"], bad) == (1, [["none.png"], ["fox.png"]])
    table.write_text('file_name,text\nfox.png,"zorvex')
    assert main(["check", str(tmp_path), "--quick"]) == 1
    assert ": cannot be used: not CSV" in capsys.readouterr().out


def test_drawings_that_are_translucent_all_over(
    tmp_path: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No pixel of any of them is over a half: the whole check goes through, the base's round trip included."""
    names = []
    for number in range(2):
        ghost = drawing(number, 256)
        ghost.putalpha(ghost.getchannel("A").point(lambda alpha: alpha * 120 // 255))
        (tmp_path / f"{number}.png").write_bytes(png(ghost))
        names.append({"file_name": f"{number}.png", "text": f"zorvex a ghost number {number}"})
    assert main(["check", str(write(tmp_path, names)), f"--base={tiny_folder}"]) == 0
    assert "2 usable pictures" in capsys.readouterr().out


def test_the_command_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The example has nothing to complain about; both ways to name the folder do the same."""
    assert main(["check", str(DEMO), "--keyword", "bomux", "--quick"]) == 0
    said = capsys.readouterr().out
    assert "nothing to complain about" in said
    assert "28 usable pictures" in said
    assert main(["check", "--train_data_dir", str(DEMO), "--quick"]) == 0
    assert capsys.readouterr().out == said


def test_keywords_are_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one is missing or unfit, three good ones are named, the same ones each time; nobody is sent elsewhere."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    folder = str(write(tmp_path, [{"file_name": "fox.png", "text": "a red fox waving"}]))
    advised = []
    for flags in ([], ["--keyword", "cat"]):
        assert main(["check", folder, "--quick", "--json", *flags]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        advised += [f["advice"] for f in findings if f["code"] in ("keyword-none", "keyword-unfit")]
    suggested = [advice.partition("such as ")[2].replace(" or ", ", ").split(", ") for advice in advised]
    assert suggested[0] == suggested[1]
    assert [keyword_problem(word) for word in suggested[0]] == [None] * 3
    assert main(["check", folder, "--quick", "--keyword", "cat"]) == 0
    said = capsys.readouterr().out
    assert advised[1] in said
    assert "the bot" not in said
    assert ": 1 usable picture, keyword cat" in said
    assert "few pictures: 1\n" in said


def test_check_uses_the_given_base(
    sample_folder: Path, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny base's decoder draws only discs: check reports each sample as lost, with the reason and advice."""
    flags = ["--keyword", "sticker", "--base", str(tiny_folder)]
    assert main(["check", "--train_data_dir", str(sample_folder), *flags]) == 0
    said = capsys.readouterr().out
    assert "6 usable pictures, keyword sticker" in said
    assert "not a good one: ordinary" in said
    assert "000.png: lost in the base's VAE" in said
    assert "Do:  use drawings with thicker lines" in said
