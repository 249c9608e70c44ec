"""A wait belongs to what was refused, and to the person it was refused for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest
from telegram.error import RetryAfter

from bot import rate_limit
from bot.playground import Fault, Person
from bot.rate_limit import Held, RateLimiter
from bot.store import Store
from tests.bot.conftest import Stage
from tests.bot.test_packs import drawn
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.pack_news.TOLD_SECONDS", 2.0)


async def ask_for_help(person: Person) -> None:
    """/help is answered. A person gives up after a minute without progress, long before the waits of others end."""
    await person.send("/help")
    await person.wait_for("Teach me a look")


async def test_a_429_on_a_sticker_set_holds_nothing_else(stage: Stage, ada: Person) -> None:
    """The pack waits, without a call, across a restart; /help is answered at once; one message says until when."""
    async with drawn(stage, ada, 2):
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        stage.playground.faults.add(Fault(method="createNewStickerSet", retry_after=600))
        since = ada.seq
        await ada.press(first, "add:")
        told = await ada.wait_for("Telegram makes your pack wait", since=since)
        assert "UTC" in told.text
        await ada.press(second, "add:")
        await ask_for_help(ada)
    async with stage.bot() as running:
        await ask_for_help(ada)
        assert made(stage) == 1, "the pack waits still"
        await running.parts.store.change("UPDATE hold SET until = ?", time.time())  # ten minutes pass
    async with stage.bot():
        await ada.wait_for("2 stickers added", since=since)
    assert made(stage) == 2
    assert len([m for m in ada.messages if "makes your pack wait" in m.text]) == 1
    (pack,) = await ada.packs()
    assert len(pack["stickers"]) == 2


def made(stage: Stage) -> int:
    """How often the bot has asked Telegram to make a pack."""
    return [call.method for call in stage.playground.calls].count("createnewstickerset")


async def test_a_hold_survives_the_process(store: Store) -> None:
    """No call before the time is up, whoever asks."""
    first = RateLimiter()
    await first.remember(store)
    calls = []

    async def refused() -> None:
        calls.append(1)
        raise RetryAfter(600)

    with pytest.raises(Held):
        await first.at_once(7, "getFile", refused)
    second = RateLimiter()
    await second.remember(store)
    for _ in range(3):
        with pytest.raises(Held) as held:
            await second.at_once(7, "getFile", refused)
        assert held.value.until > time.time() + 590
    assert calls == [1]

    async def fine() -> str:
        return "done"

    assert await second.at_once(8, "getFile", fine) == "done"
    assert await second.at_once(7, "getStickerSet", fine) == "done"


async def test_a_clock_that_is_set_back_makes_nobody_wait_longer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait lasts as long as Telegram has said; one that was stored by a wrong clock ends after two days."""
    now = time.time()
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(time=lambda: now, monotonic=time.monotonic))
    first = RateLimiter()
    await first.remember(store)

    async def refused() -> None:
        raise RetryAfter(600)

    with pytest.raises(Held):
        await first.at_once(7, "getFile", refused)
    now -= 365 * 86_400
    with pytest.raises(Held) as held:
        first.check(7, "getFile")
    assert held.value.until == pytest.approx(now + 600, abs=60)
    second = RateLimiter()
    await second.remember(store)
    with pytest.raises(Held) as held:
        second.check(7, "getFile")
    assert held.value.until == pytest.approx(now + 2 * 86_400, abs=60)


@pytest.fixture
async def crowd(stage: Stage) -> AsyncIterator[list[Person]]:
    """33 people."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(PatientPerson.join(stage.playground.address, f"P{n}"))
            for n in range(33)
        ]


async def test_people_who_wait_hold_no_slot(stage: Stage, crowd: list[Person]) -> None:
    """32 people flood-waited, one group with 60 commands: the next person's /help is answered."""
    *waiting, last = crowd
    async with stage.bot():
        flood = stage.playground.faults.add(Fault(method="sendMessage", retry_after=600, times=33))
        for person in waiting:
            await person.send("/help")
        group = {"id": -100, "type": "group", "title": "x"}
        for number in range(60):
            message = {"message_id": number + 1, "date": 1, "chat": group, "from": waiting[0].user}
            stage.playground.world.updates.add("message", message | {"text": "/help"})
        await until(lambda: not flood.times)
        await ask_for_help(last)


async def test_a_backlog_holds_no_slot(stage: Stage, crowd: list[Person]) -> None:
    """32 people with 10 commands each, at Telegram's pace: the next person is not behind all of them."""
    stage.monkeypatch.setattr("bot.app.RateLimiter", lambda: RateLimiter(per_second=0.1, burst=3))
    *busy, last = crowd
    for person in busy:
        for _ in range(10):
            await person.send("/start")
    async with stage.bot() as running:
        await until(lambda: stage.playground.world.updates.waiting() <= 100)
        await asyncio.sleep(1.0)
        await ask_for_help(last)
        assert await running.parts.store.value("SELECT count(*) FROM inbox WHERE state = 'waiting'") > 32
