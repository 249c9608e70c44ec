"""python -m bot doctor: each finding says what to do, and the token is never shown."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot import app, command_line, disk, doctor
from bot.config import Config, Storage, Telegram
from bot.errors import ConfigError
from bot.playground import serve
from bot.secret import VARIABLE

TOKEN = "123456:AAsecretsecretsecretsecretsecret"


@pytest.mark.parametrize(("known", "level"), [(True, doctor.OK), (False, doctor.FAIL)])
async def test_the_token_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool, level: str
) -> None:
    """Telegram itself says whether it knows the token, and what time it is."""
    async with serve(tmp_path / "playground") as playground:
        monkeypatch.setenv(VARIABLE, playground.token if known else TOKEN)
        config = Config(telegram=Telegram(api_url=playground.api_url))
        token, *clock = await asyncio.to_thread(lambda: list(doctor.telegram(config)))
    assert token.level == level
    assert bool(token.todo) is not known
    assert [one.level for one in clock] == [doctor.OK]


async def test_no_answer_shows_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what kind of error it was."""
    monkeypatch.setenv(VARIABLE, TOKEN)
    (found,) = doctor.telegram(Config(telegram=Telegram(api_url="http://127.0.0.1:9/bot")))
    assert found.level == doctor.FAIL
    assert "secret" not in str(found)


def test_a_wrong_clock_is_seen() -> None:
    """An hour off spoils limits and waits."""
    (found,) = doctor._clock("Thu, 01 Jan 1970 00:00:00 GMT", 3600.0)
    assert (found.level, "timedatectl" in found.todo) == (doctor.WARN, True)


@pytest.mark.parametrize(("harm", "word"), [("none", "whole"), ("damaged", "restore"), ("newer", "newer")])
def test_the_database_is_checked(tmp_path: Path, harm: str, word: str) -> None:
    """A damaged one and one of a newer version are errors."""
    with closing(sqlite3.connect(tmp_path / "bot.sqlite")) as db:
        db.execute(f"PRAGMA user_version = {999 if harm == 'newer' else 1}")
    if harm == "damaged":
        (tmp_path / "bot.sqlite").write_bytes(b"no database" * 100)
    (found,) = doctor.database(Config(storage=Storage(dir=tmp_path)))
    assert word in str(found)
    assert (found.level == doctor.OK) is (harm == "none")


@pytest.fixture
def of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that this user may not look into."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "bot.sqlite").touch()
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if str(path).startswith(f"{folder}/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, **options)

    monkeypatch.setattr("os.stat", stat)
    return folder


def test_a_folder_of_another_user_is_told_once(
    of_another_user: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the doctor, a backup and the start alike; the doctor goes on with what it can look at."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "c.toml").write_text("[storage]\ndir = 'data'")
    said = f"user {os.getuid()} may not read {of_another_user}: run this as its owner, or chown -R it"
    assert command_line.run(["--config", str(tmp_path / "c.toml"), "doctor"]) == 1
    told = capsys.readouterr().out
    assert (told.count(said), told.count("error"), "GB free" in told) == (1, 1, True)
    assert command_line.run(["--config", str(tmp_path / "c.toml"), "backup", str(tmp_path / "b.tar")]) == 2
    assert f"no backup was made: {said}" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=said), app._only_one(of_another_user):
        pass


@pytest.mark.parametrize("name", ["bot.sqlite", "blobs"])
def test_a_file_of_another_user_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database, or the folder of pictures."""
    (tmp_path / "bot.sqlite").touch()
    (tmp_path / "blobs").mkdir()
    assert disk.unusable(tmp_path) is None
    monkeypatch.setattr("os.access", lambda path, how: Path(path).name != name)
    assert f"may not read {tmp_path / name}: run this as its owner" in str(disk.unusable(tmp_path))


def test_a_configuration_that_may_not_be_read(
    of_another_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody may look, the defaults are not taken in its place."""
    monkeypatch.setattr("bot.config.Path", lambda *parts: Path(of_another_user, *parts))
    assert command_line.run(["doctor"]) == 2
    assert "config.toml: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("date", ["soon", "", "Thu, 99 Jan 1970 00:00:00 GMT"])
def test_a_date_of_a_proxy(date: str) -> None:
    """It says nothing about the clock."""
    (found,) = doctor._clock(date, 0.0)
    assert (found.level, found.text) == (doctor.WARN, "the answer has no date that can be read")


def test_what_mends_a_base() -> None:
    """Only a base of the hub can be fetched, which the engine's own words tell."""
    wrong = "sd-2.1: not on this machine. `python -m lora fetch sd-2.1` downloads it"
    assert doctor._mend_base("sd-2.1", wrong, "/c").startswith("python -m lora fetch sd-2.1")
    assert "fetch" not in doctor._mend_base("/no/base", "/no/base: no model_index.json in it", "/c")


@pytest.mark.parametrize(
    ("wrong", "todo"),
    [
        ("/c/nano-1: unet missing", "delete /c/nano-1: it is unpacked again"),
        ("/c/nano-1/model_index.json: cannot be read: X", "delete /c/nano-1: it is unpacked again"),
        ("/c/nano-1: No space left on device", "make room"),
    ],
)
def test_what_mends_an_unpacked_base(wrong: str, todo: str) -> None:
    """Not the installation, which is whole."""
    assert doctor._mend_base("sticker-nano", wrong, "/c") == todo


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read: No such file"), ("x", "no certificate")]
)
def test_the_certificate_is_looked_at(tmp_path: Path, content: str | None, told: str) -> None:
    """Before the start, as by the start itself; without a webhook nobody needs it."""
    file = tmp_path / "own.pem"
    if content:
        file.write_text(content)
    settings = Telegram(webhook_url="https://bot.example.org/x", webhook_certificate=str(file))
    (found,) = doctor.webhook(Config(telegram=settings))
    assert (found.level, told in found.text) == (doctor.FAIL, True)
    assert list(doctor.webhook(Config(telegram=replace(settings, webhook_url="")))) == []


def test_a_bot_that_runs_is_seen(tmp_path: Path) -> None:
    """What a container's health check asks."""
    (tmp_path / "c.toml").write_text("[storage]\ndir = 'data'")
    assert doctor.main(["--running"], tmp_path / "c.toml") == 1
    with app._only_one(tmp_path / "data"):
        assert doctor.main(["--running"], tmp_path / "c.toml") == 0
    assert doctor.main(["--running"], tmp_path / "c.toml") == 1


def test_a_read_only_disk_is_no_matter_of_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chown would help."""
    (found,) = doctor.folder(Config(storage=Storage(dir=tmp_path / "data")))
    assert found.level == doctor.OK
    monkeypatch.setattr("os.statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    (found,) = doctor.folder(Config(storage=Storage(dir=tmp_path / "data")))
    assert (found.level, found.text) == (doctor.FAIL, f"the disk of {tmp_path} is read-only")
    assert "chown" not in found.todo


@pytest.mark.parametrize(
    ("above", "database", "blobs", "said"),
    [
        (0o755, 0o600, 0o700, "can be written"),
        (0o755, None, None, "can be written"),
        (0o700, 0o644, 0o755, "can be written"),
        (0o755, 0o644, 0o700, "others can look into {path}/bot.sqlite"),
        (0o755, 0o600, 0o755, "others can look into {path}/blobs"),
    ],
)
def test_only_private_data_is_warned_of(
    tmp_path: Path, above: int, database: int | None, blobs: int | None, said: str
) -> None:
    """Where others reach what the bot keeps; a checkout's data/ has an example that everybody may see."""
    path = tmp_path / "data"
    path.mkdir()
    if database is not None and blobs is not None:
        (path / "bot.sqlite").touch()
        (path / "bot.sqlite").chmod(database)
        (path / "blobs").mkdir()
        (path / "blobs").chmod(blobs)
    path.chmod(above)
    (found,) = doctor.folder(Config(storage=Storage(dir=path)))
    assert said.format(path=path) in found.text
    assert (found.level == doctor.WARN) is ("look into" in said)


@pytest.mark.parametrize("name", ["bot.sqlite", "bot.lock", "blobs", "cache", "outgoing", ""])
def test_what_is_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    """A folder in the place of a file, or the other way round, ends the start; waiting would mend nothing."""
    place = tmp_path / "data" / name
    if name.startswith("bot."):
        place.mkdir(parents=True)
    else:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    (found,) = doctor.folder(Config(storage=Storage(dir=tmp_path / "data")))
    assert found.level == doctor.FAIL
    assert f"{place} is no f" in found.text
    with pytest.raises(ConfigError, match=f"{place} is no f"), app._only_one(tmp_path / "data"):
        raise AssertionError("it started")


@pytest.mark.parametrize(
    ("days", "level", "todo"),
    [(90, doctor.OK, ""), (10, doctor.WARN, "renew it"), (-3, doctor.FAIL, "renew it")],
)
def test_a_certificate_that_ends_is_told(days: int, level: str, todo: str) -> None:
    """Two weeks before, and what to do."""
    until = datetime.now(UTC) + timedelta(days=days, hours=1)
    found = doctor._certificate(until)
    assert (found.level, todo in found.todo) == (level, True)
    assert f"{until:%Y-%m-%d}" in found.text
