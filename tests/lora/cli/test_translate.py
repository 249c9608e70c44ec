"""python -m lora translate: one English prompt a line."""

import json
from pathlib import Path

import pytest

from lora.__main__ import main


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("лиса пьёт кофе\n\na fox\nфыркобряк\n", encoding="utf-8")
    return path


def test_one_english_prompt_a_line(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Empty lines stay, so that line numbers agree."""
    assert main(["translate", str(prompts), "--from", "ru"]) == 0
    assert capsys.readouterr().out == "a fox drinking coffee\n\na fox\nфыркобряк\n"


def test_json_says_what_was_not_known(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of the output is a JSON object."""
    assert main(["translate", str(prompts), "--from", "ru", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {
        "text": "лиса пьёт кофе",
        "english": "a fox drinking coffee",
        "unknown": [],
        "language": "ru",
    }
    assert rows[3]["unknown"] == ["фыркобряк"]


def test_mistakes_are_one_line(prompts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file, and a translator without its folder."""
    assert main(["translate", "no-such-file.txt"]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["translate", str(prompts.parent)]) == 2
    assert "it is a folder; give a text file" in capsys.readouterr().err
    assert main(["translate", str(prompts), "--from", "zz"]) == 2
    assert "no language that I know words of; there are az, be" in capsys.readouterr().err
    assert main(["translate", str(prompts), "--translator", "transformers"]) == 2
    assert "needs a folder" in capsys.readouterr().err
