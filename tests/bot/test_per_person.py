"""One person's work in order, different people side by side."""

from __future__ import annotations

import asyncio

import pytest

from bot import per_person
from bot.per_person import PerPerson
from tests.waiting import until_async


async def test_one_at_a_time_for_a_person_and_never_forgotten() -> None:
    """However often and whenever somebody is woken, the last wake is followed by a run."""
    running: set[int] = set()
    seen: list[int] = []

    async def work(person: int) -> None:
        assert person not in running
        running.add(person)
        await asyncio.sleep(0.001)
        running.discard(person)
        seen.append(person)

    many = PerPerson(work)
    for _ in range(20):
        many.wake(1)
        many.wake(2)
        await asyncio.sleep(0.0003)
    before = len(seen)
    many.wake(1)
    await until_async(lambda: 1 in seen[before:])
    await many.close()


async def test_people_do_not_wait_for_each_other() -> None:
    """Somebody whose work hangs keeps nobody else from theirs."""
    done = asyncio.Event()

    async def work(person: int) -> None:
        if person == 1:
            await asyncio.Event().wait()
        done.set()

    many = PerPerson(work)
    many.wake(1)
    many.wake(2)
    await until_async(done.is_set)
    await many.close()


async def test_work_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is dropped because Telegram was away for a moment."""
    monkeypatch.setattr(per_person, "FIRST_PAUSE", 0.01)
    tries = 0

    async def work(person: int) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("away")

    many = PerPerson(work)
    many.wake(1)
    await until_async(lambda: tries >= 3)
    await asyncio.sleep(0.1)
    assert tries == 3
    assert "work for one person failed" in caplog.text
    await many.close()


async def test_nothing_starts_after_close() -> None:
    """The next start of the bot finds the work in the store."""
    started: list[int] = []

    async def work(person: int) -> None:
        started.append(person)

    many = PerPerson(work)
    await many.close()
    many.wake(1)
    await asyncio.sleep(0.01)
    assert started == []
