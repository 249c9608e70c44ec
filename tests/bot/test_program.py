"""Help and hints name the command that was called."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import __main__, command_line
from bot.program import program
from lora.__main__ import main
from tests import waiting

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_each_command_has_its_own_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("program", "command"), [(__main__.main, ["config"]), (main, ["translate", "prompts.txt"])]
)
def test_nobody_reads_on(
    program: Callable[[list[str]], int], command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `doctor | head -1`: the exit code is a shell's of SIGPIPE, and Python's last flush is no error."""
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("кот\n")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert program(command) == 128 + signal.SIGPIPE


def test_ctrl_c_while_a_program_is_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its command has begun, too."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("argparse.ArgumentParser", interrupted)
    monkeypatch.setattr("lora.__main__._parser", interrupted)
    assert __main__.main([]) == main([]) == 130


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("bot", "bot.command_line"),
        ("bot", "bot.config"),
        ("bot", "lora.files"),
        ("lora", "lora.files"),
        ("lora", "lora.cli"),
        ("lora", "lora.data.captions"),
    ],
)
def test_ctrl_c_while_its_modules_are_loaded_is_quiet(package: str, module: str) -> None:
    """No traceback, and the exit code that a shell gives."""
    pressed = (
        "import os, runpy, signal, sys\n"
        # A shell lets what it starts in the background ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Pressed())\n"
        f"sys.argv = [{package!r}, '--help']\n"
        f"runpy.run_module({package!r}, run_name='__main__')\n"
    )
    done = waiting.run([sys.executable, "-c", pressed], cwd=ROOT)
    assert done.returncode == 130
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) < 2
