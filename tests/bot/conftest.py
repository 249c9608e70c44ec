"""The whole bot in this process, against the playground's server, with an engine that needs no model."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.config import Config, Engine, Storage, Telegram
from bot.context import Parts
from bot.inbox import Inbox
from bot.playground import Person, Playground, serve
from bot.rate_limit import RateLimiter
from bot.secret import Token
from bot.store import PRAGMAS, Store, bring_up_to_date
from lora.engine import ENGINES
from tests.bot.fake_engine import FakeEngine
from tests.patient_person import PatientPerson
from tests.waiting import until_async

PAUSES = {  # what the bot waits for between two tries, looks or edits; a test would wait as long
    "deliver.EDIT_SECONDS": 0.1,
    "deliver.LOOK_SECONDS": 0.25,
    "dispatch.LONGEST_PAUSE": 0.1,
    "imports.EDIT_SECONDS": 0.1,
    "inbox.LONGEST_PAUSE": 0.05,
    "pack_record.LAG": (0.02, 0.02),
    "pack_record.LOOK_AGAIN_SECONDS": 0.1,
    "per_person.FIRST_PAUSE": 0.05,
    "poll.POLL_SECONDS": 2,
    "rate_limit.PAUSES": (0.02, 0.05, 0.1),
    "sample_replies.QUIET_SECONDS": 0.2,
    "supervise.FIRST_PAUSE": 0.05,
    "waiting.LONGEST_PAUSE": 0.05,
}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a database without rows. Running all migrations for each test would take long."""
    path = tmp_path_factory.mktemp("empty") / "bot.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        bring_up_to_date(db)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here cuts the power, and a lock shows soon. ``test_a_commit_is_on_the_disk`` has the real settings."""
    monkeypatch.setattr("bot.store.PRAGMAS", (*PRAGMAS, "busy_timeout = 50"))
    monkeypatch.setattr("bot.store.DURABLE", "synchronous = OFF")
    monkeypatch.setattr("os.fsync", lambda file: None)


@dataclass(kw_only=True)
class Running:
    """A bot that is running."""

    parts: Parts
    engine: FakeEngine
    inbox: Inbox
    work: asyncio.Future[object]  # of all parts; done only when one has failed


@dataclass(kw_only=True)
class Stage:
    """A playground and the folder of a bot that may be started on it again and again."""

    playground: Playground
    config: Config
    monkeypatch: pytest.MonkeyPatch
    empty_database: bytes

    @asynccontextmanager
    async def bot(self, engine: FakeEngine | None = None, **tables: Any) -> AsyncIterator[Running]:
        """Run the bot, with its first worker ready, as long as the block lasts; what is under way then is cut off."""
        engine = engine or FakeEngine()
        self.monkeypatch.setitem(ENGINES, "fake", lambda settings: engine)
        config = dataclasses.replace(self.config, **tables)
        if not (folder := config.storage.dir).exists():
            folder.mkdir()
            (folder / "bot.sqlite").write_bytes(self.empty_database)
        async with app.build(config, Token(self.playground.token)) as (parts, inbox):
            work: asyncio.Future[Any] = asyncio.gather(parts.dispatch.run(), parts.deliver.run(), inbox.run())
            try:
                await until_async(lambda: work.done() or parts.dispatch.devices or not engine.workers)
                yield Running(parts=parts, engine=engine, inbox=inbox, work=work)
                assert not work.done(), work.exception()
            finally:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work


@pytest.fixture
async def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database: bytes
) -> AsyncIterator[Stage]:
    """A playground without a bot yet, and a person to be."""
    for name, value in PAUSES.items():
        monkeypatch.setattr(f"bot.{name}", value)
    monkeypatch.setattr("bot.app.RateLimiter", lambda: RateLimiter(per_second=50, burst=50))
    async with serve(tmp_path / "playground", control=True) as playground:
        config = Config(
            telegram=Telegram(api_url=playground.api_url, file_url=playground.file_url),
            storage=Storage(dir=tmp_path / "data"),
            engine=Engine(name="fake"),
        )
        yield Stage(
            playground=playground, config=config, monkeypatch=monkeypatch, empty_database=empty_database
        )


def with_webhook(stage: Stage) -> Telegram:
    """The stage's settings, with updates sent to a port of this machine."""
    listen = f"127.0.0.1:{free_port()}"
    return dataclasses.replace(
        stage.config.telegram, webhook_url=f"http://{listen}/updates", webhook_listen=listen
    )


@pytest.fixture(params=["polling", "webhook"])
def way(request: pytest.FixtureRequest, stage: Stage) -> str:
    """Both ways in which updates come; the test is run with each."""
    if request.param == "webhook":
        stage.config = dataclasses.replace(stage.config, telegram=with_webhook(stage))
    return str(request.param)


@pytest.fixture
async def ada(stage: Stage) -> AsyncIterator[Person]:
    """Somebody who has not written to the bot yet."""
    async with PatientPerson.join(stage.playground.address, "Ada") as person:
        yield person


@pytest.fixture
async def store(tmp_path: Path, empty_database: bytes) -> AsyncIterator[Store]:
    """An empty database."""
    (tmp_path / "bot.sqlite").write_bytes(empty_database)
    store = await Store.open(tmp_path / "bot.sqlite")
    yield store
    await store.close()
