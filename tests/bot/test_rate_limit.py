"""Writes are paced per person, 429 and broken connections are dealt with in one place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from telegram.error import BadRequest, NetworkError, RetryAfter, TimedOut

from bot import rate_limit
from bot.rate_limit import RateLimiter
from tests.waiting import result_of


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Write:
    """A write that fails in the given ways before it works."""

    def __init__(self, *errors: Exception, clock: Callable[[], float] = time.monotonic) -> None:
        self.errors = list(errors)
        self.clock = clock
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(self.clock())
        if self.errors:
            raise self.errors.pop(0)
        return "written"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    monkeypatch.setattr(rate_limit, "PAUSES", (0.01, 0.01, 0.01))


async def test_a_burst_and_then_a_steady_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five at once, then as many a second as allowed."""
    clock = Clock()
    monkeypatch.setattr(rate_limit, "time", clock)
    monkeypatch.setattr(rate_limit, "asyncio", SimpleNamespace(sleep=clock.sleep, Lock=asyncio.Lock))
    rate_limiter, write = RateLimiter(per_second=20, burst=5), Write(clock=clock.monotonic)
    for _ in range(9):
        await rate_limiter(1, write)
    assert write.calls == pytest.approx([0, 0, 0, 0, 0, 0.05, 0.1, 0.15, 0.2])


async def test_a_wait_holds_one_person_only() -> None:
    """A 429 for one person does not keep another waiting."""
    rate_limiter, theirs = RateLimiter(), Write()
    mine = asyncio.create_task(rate_limiter(1, Write(RetryAfter(600))))
    await asyncio.sleep(0.01)
    assert await result_of(rate_limiter(2, theirs)) == "written"
    assert not mine.done()
    mine.cancel()
    await asyncio.gather(mine, return_exceptions=True)


async def test_too_many_requests_is_obeyed_in_order() -> None:
    """The write is done after the wait, and what came later waits behind it."""
    rate_limiter, first, second = RateLimiter(), Write(RetryAfter(timedelta(milliseconds=100))), Write()
    await asyncio.gather(rate_limiter(1, first), rate_limiter(1, second))
    assert first.calls[1] - first.calls[0] >= 0.1
    assert second.calls[0] > first.calls[1]


async def test_a_wait_of_hours_is_raised() -> None:
    """A 429 of hours is the caller's to deal with."""
    with pytest.raises(RetryAfter):
        await RateLimiter()(1, Write(RetryAfter(3600)))


async def test_a_refusal_is_never_tried_again() -> None:
    """BadRequest is a NetworkError to python-telegram-bot, yet no later try does better."""
    write = Write(BadRequest("no"))
    with pytest.raises(BadRequest):
        await RateLimiter()(1, write)
    assert len(write.calls) == 1


async def test_a_broken_connection_is_tried_again_where_that_is_harmless() -> None:
    """Messages may be sent twice; what must happen once is left to who asked."""
    write = Write(NetworkError("gone"), TimedOut())
    assert await RateLimiter()(1, write) == "written"
    once = Write(TimedOut())
    with pytest.raises(TimedOut):
        await RateLimiter()(1, once, retry=False)
    assert len(once.calls) == 1
