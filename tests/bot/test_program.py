"""Help and hints name the command that was called."""

from __future__ import annotations

import sys

import pytest

from bot import __main__
from bot.program import program
from lora.__main__ import main


@pytest.mark.parametrize(
    ("called", "bot", "lora"),
    [
        ("/usr/bin/stickersmith", "stickersmith", "stickersmith-lora"),
        ("/opt/bot/__main__.py", "python -m bot", "python -m lora"),
    ],
)
def test_it_is_called_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], called: str, bot: str, lora: str
) -> None:
    """From a wheel by its command, in the project by its module."""
    monkeypatch.setattr(sys, "argv", [called])
    assert program("lora") == lora
    assert __main__.main(["--help"]) == 0
    assert f"usage: {bot} [" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [called.replace("stickersmith", "stickersmith-lora")])
    with pytest.raises(SystemExit):
        main(["translate", "--help"])
    assert f"usage: {lora} translate" in capsys.readouterr().out


@pytest.mark.parametrize("command", __main__.COMMANDS)
def test_each_command_has_its_own_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out.splitlines()[0]
