"""A disk that is really full, and a database that another process really locks: the bot waits and goes on by itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.playground import Playground
from tests.bot.fake_engine import picture
from tests.journeys.bot_process import BotProcess, running
from tests.journeys.conftest import Settings
from tests.patient_person import PatientPerson
from tests.waiting import until_async

SIZE = "6m"
MOUNT = f'mkdir -p "$1" && mount -t tmpfs -o size={SIZE} none "$1" && shift && exec "$@"'
OWN_DISK = ("unshare", "-rm", "sh", "-c", MOUNT, "sh")
LOCK = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE');"
    "print('locked', flush=True); sys.stdin.read()"
)


@pytest.fixture
async def cramped(playground: Playground, tmp_path: Path, settings: Settings) -> AsyncIterator[BotProcess]:
    """A bot whose storage is a disk of its own, of some megabytes."""
    folder = tmp_path / "bot"
    tried = subprocess.run([*OWN_DISK, str(tmp_path / "try"), "true"], capture_output=True)  # noqa: ASYNC221
    if tried.returncode:
        pytest.skip("this system lets nobody mount a disk of their own")
    async with running(playground, folder, settings, (*OWN_DISK, str(folder / "data"))) as bot:
        yield bot


def inside(bot: BotProcess) -> Path:
    """The bot's storage as the bot sees it."""
    return Path(f"/proc/{bot.processes[-1].pid}/root") / str(bot.storage).lstrip("/")


def fill_up(path: Path) -> None:
    """Write until the disk takes no byte more."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


async def test_a_full_disk(cramped: BotProcess, ada: PatientPerson) -> None:
    """Pictures that come while it is full are taken when there is room; the log tells the begin and the end."""
    await ada.send("/new zuvix")
    await ada.wait_for("zuvix is open")
    bot = cramped
    filler = inside(bot) / "filler"
    await asyncio.to_thread(fill_up, filler)
    for number in range(5):
        await ada.send_picture(picture(900, 900, number), as_="document", caption=f"fox {number}")
    await until_async(lambda: "No space left" in bot.log or "is full" in bot.log or "OSError" in bot.log)
    filler.unlink()
    await ada.wait_for("5 in all")
    await until_async(lambda: "again" in bot.log)
    lines = [
        line for line in bot.log.splitlines() if "trying again" in line or "wait until this is over" in line
    ]
    assert 1 <= len(lines) <= 3, lines


async def test_a_database_that_another_process_locks(bot: BotProcess, ada: PatientPerson) -> None:
    """What people write meanwhile is answered afterwards."""
    await ada.send("/new zuvix")
    await ada.wait_for("zuvix is open")
    command = [sys.executable, "-c", LOCK, str(bot.storage / "bot.sqlite")]
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert other.stdout is not None
    assert await other.stdout.readline() == b"locked\n"
    await ada.send("/new bomux")
    await until_async(lambda: "the database cannot be written, trying again: database is locked" in bot.log)
    await other.communicate(b"")  # closes its stdin, and reads its stdout to the end
    await ada.wait_for("bomux is open")
    assert bot.log.count("trying again") == 1
    assert "the database can be written again" in bot.log
