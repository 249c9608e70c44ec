"""No task dies unseen: its death is logged, and it is started again or the bot ends with one line."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bot import app, supervise
from bot.deliver import Deliver
from bot.dispatch import Dispatch
from bot.errors import ConfigError
from bot.inbox import Inbox
from bot.playground import Person
from bot.secret import Token
from bot.supervise import keep_running, run_all
from bot.tidy import Tidy
from lora.engine import ENGINES
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.waiting import until_async


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervise, "LONGEST_PAUSE", 0.05)
    mask = os.umask(0o077)  # app.run sets it for its process, which is this one here
    yield
    os.umask(mask)


async def test_a_part_that_ends_is_started_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it died of, also if it just ended."""
    deaths = iter([ValueError("x"), ValueError("x"), None, OSError("y")])
    done = asyncio.Event()

    async def work() -> None:
        if (error := next(deaths, StopIteration)) is StopIteration:
            done.set()
            await asyncio.Event().wait()
        if isinstance(error, Exception):
            raise error

    task = asyncio.create_task(keep_running("it", work))
    await until_async(done.is_set)
    task.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        "it died of ValueError and is started again",
        "it died of NoneType and is started again",
        "it died of OSError and is started again",
    ]


async def test_an_error_for_the_operator_ends_all_parts() -> None:
    """A damaged database, or a setting that is wrong: one clear error, and the parts beside it are cancelled."""
    cancelled = asyncio.Event()

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def damaged() -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    with pytest.raises(ConfigError, match="damaged"):
        await run_all({"a": beside, "b": lambda: keep_running("b", damaged)})
    assert cancelled.is_set()


@pytest.fixture
async def whole_bot(stage: Stage) -> FakeEngine:
    """The bot as ``python -m bot`` runs it, in this process."""
    engine = FakeEngine()
    stage.monkeypatch.setitem(ENGINES, "fake", lambda settings: engine)
    return engine


@pytest.mark.parametrize(
    ("part", "method"),
    [(Inbox, "run"), (Deliver, "look"), (Dispatch, "_listen"), (Dispatch, "_feed"), (Tidy, "tidy")],
)
async def test_each_part_is_started_again(
    stage: Stage,
    ada: Person,
    whole_bot: FakeEngine,
    caplog: pytest.LogCaptureFixture,
    part: type,
    method: str,
) -> None:
    """Each of the bot's long-lived tasks dies twice, and people are served all the same."""
    right, left = getattr(part, method), 2
    died = asyncio.Event()

    async def dies(self: object) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise RuntimeError("a bug")
        died.set()
        await right(self)

    stage.monkeypatch.setattr(part, method, dies)
    task = asyncio.create_task(app.run(stage.config, Token(stage.playground.token)))
    try:
        await until_async(died.is_set)
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("a fox · CFG 5 · seed 1")
        assert not task.done()
        assert caplog.text.count("died of RuntimeError") in (1, 2)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_people_send_is_for_the_bots_user_alone(
    stage: Stage, ada: Person, whole_bot: FakeEngine
) -> None:
    """Folders 0700, files 0600, also if the data folder was there before."""
    folder = stage.config.storage.dir
    folder.mkdir(mode=0o755)
    (folder / "bot.sqlite").touch(0o644)
    task = asyncio.create_task(app.run(stage.config, Token(stage.playground.token)))
    try:
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("a fox · CFG 5 · seed 1")
        found = [folder, *folder.rglob("*")]
        modes = {oct(path.stat().st_mode & 0o777) for path in found if path.is_dir()}
        assert modes == {"0o700"}
        assert {oct(path.stat().st_mode & 0o777) for path in found if path.is_file()} == {"0o600"}
        assert len(found) > 4
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
