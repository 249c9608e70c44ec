"""python -m bot: what the operator reads, and what nobody may read."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from telegram.error import NetworkError

from bot import app, secret
from bot.__main__ import main
from bot.config import Config, Storage, Telegram
from bot.errors import ConfigError
from bot.playground import Playground, serve
from bot.secret import Scrubbed, Token, take_token
from tests import waiting

ROOT = Path(__file__).parents[2]
TOKEN = "123456:AAsecretsecretsecretsecretsecret"


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command, without a token unless one is given."""
    kept = {name: value for name, value in os.environ.items() if name != secret.VARIABLE}
    return waiting.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
    )


def test_no_token_is_one_clear_screen() -> None:
    """It names what to do with Telegram and without, and is no traceback."""
    done = start()
    assert done.returncode == 2
    assert "make demo" in done.stderr
    assert "@BotFather" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 20


def test_what_is_no_token_is_not_repeated() -> None:
    """Whatever was put there may be another secret."""
    done = start(TELEGRAM_BOT_TOKEN="hunter2-password")
    assert done.returncode == 2
    assert "@BotFather" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_wrong_setting_ends_with_2(tmp_path: Path) -> None:
    """The operator reads which one, not a traceback."""
    (tmp_path / "c.toml").write_text("[sticker]\ncgf = 3")
    done = start("--config", str(tmp_path / "c.toml"), TELEGRAM_BOT_TOKEN=TOKEN)
    assert done.returncode == 2
    assert done.stderr.strip() == "unknown key in [sticker]: 'cgf'; did you mean 'cfg'?"


@pytest.mark.parametrize("harm", ["damaged", "newer"])
def test_a_database_that_cannot_be_used_ends_with_2(tmp_path: Path, harm: str) -> None:
    """One line that says what to do, before Telegram is asked for anything; the file stays as it was."""
    database = tmp_path / "data" / "bot.sqlite"
    database.parent.mkdir()
    if harm == "damaged":
        database.write_bytes(b"this was a database once " * 400)
    else:
        with closing(sqlite3.connect(database)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA user_version = 999")
    before = database.read_bytes()
    (tmp_path / "c.toml").write_text(
        "[storage]\ndir = 'data'\n[telegram]\napi_url = 'http://127.0.0.1:9/bot'"
    )
    done = start("--config", str(tmp_path / "c.toml"), TELEGRAM_BOT_TOKEN=TOKEN)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert str(database) in line
    assert ("newer version" if harm == "newer" else "not a database") in line
    assert database.read_bytes() == before


def test_a_folder_that_cannot_be_written_ends_with_2(tmp_path: Path) -> None:
    """A file stands where the folder should be: one line."""
    (tmp_path / "data").write_text("a file")
    (tmp_path / "c.toml").write_text("[storage]\ndir = 'data'")
    done = start("--config", str(tmp_path / "c.toml"), TELEGRAM_BOT_TOKEN=TOKEN)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(tmp_path / "data") in done.stderr


async def test_a_token_that_telegram_does_not_know(tmp_path: Path) -> None:
    """python-telegram-bot's own error holds the token; ours does not."""
    async with serve(tmp_path / "playground") as playground:
        with pytest.raises(ConfigError) as caught:
            await app.run(config_of(playground, tmp_path), Token(TOKEN))
    assert "@BotFather" in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_two_bots_on_one_folder(tmp_path: Path) -> None:
    """The second one says so and changes nothing."""
    async with serve(tmp_path / "playground") as playground:
        config = config_of(playground, tmp_path)
        with app._only_one(config.storage.dir), pytest.raises(ConfigError, match="another bot is running"):
            await app.run(config, Token(playground.token))


def test_the_token_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a repr, a text, the environment of children, or a log line with a traceback."""
    monkeypatch.setenv(secret.VARIABLE, TOKEN)
    token = take_token()
    assert token.reveal() == TOKEN
    assert secret.VARIABLE not in os.environ
    assert "AAsecret" not in f"{token!r} {token} {[token]}"
    try:
        raise NetworkError(f"POST https://api.telegram.org/bot{TOKEN}/getMe")
    except NetworkError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "url %s", (f"bot{TOKEN}",), sys.exc_info())
    line = Scrubbed(token).format(record)
    assert "AAsecret" not in line
    assert "Traceback" in line
    assert "bot<token>/getMe" in line


def config_of(playground: Playground, folder: Path) -> Config:
    return Config(
        telegram=Telegram(api_url=playground.api_url, file_url=playground.file_url),
        storage=Storage(dir=folder / "data"),
    )


def test_ctrl_c_ends_a_command_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no error: no traceback, and the exit code that a shell gives."""

    def pressed(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.backup.main", pressed)
    assert main(["backup", "x.tar"]) == 130
    assert capsys.readouterr().err == ""
