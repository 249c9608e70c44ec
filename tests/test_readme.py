"""The pages with commands can be followed to the letter: what a command needs is said or made before it comes."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from lora.__main__ import _parser

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def commands_of(name: str) -> list[str]:
    """The lines of a page's code blocks, with continued lines joined."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [
        command.strip()
        for block in re.findall(r"(?:^ {4}\S.*\n(?: {4,}\S.*\n)*)", text, flags=re.MULTILINE)
        for command in block.replace("\\\n", " ").splitlines()
    ]


def test_the_environment_is_named_before_any_command_needs_it() -> None:
    """python -m lora in a shell that knows nothing of .venv is a ModuleNotFoundError."""
    first = min(TEXT.index("python -m lora"), TEXT.index("python -m bot"))
    assert "source .venv/bin/activate" in TEXT[:first]


@pytest.mark.parametrize("name", ["README.md", "docs/train.md"])
def test_a_file_of_prompts_is_made_before_it_is_used(tmp_path: Path, name: str) -> None:
    """The line before writes it, with a prompt on each line."""
    commands = commands_of(name)
    (use,) = (number for number, command in enumerate(commands) if "--prompts prompts.txt" in command)
    (made,) = (command for command in commands[:use] if "> prompts.txt" in command)
    subprocess.run(["sh", "-c", made], cwd=tmp_path, check=True)
    prompts = (tmp_path / "prompts.txt").read_text().splitlines()
    assert prompts == ["a fox", "an owl", "a bear riding a bicycle"]


def test_the_commands_are_known() -> None:
    """Every python -m lora line is one that the command line takes."""
    pages = ("README.md", "docs/train.md", "docs/bases.md")
    lines = [line for name in pages for line in commands_of(name) if line.startswith("python -m lora ")]
    assert len(lines) > 10
    for line in lines:
        _parser()[0].parse_args(shlex.split(line.partition("  #")[0].partition(" # ")[0])[3:])
