"""How fast the bot writes to one person, and the one place that knows Telegram's 429.

Telegram asks for about one message a second in a chat and tolerates short bursts. python-telegram-bot's own
limiter halts everybody for one person's 429 and does not see sticker-set calls at all. Here a 429 holds the
method that was refused, for the person it was refused for, until the time that Telegram named.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram.error import NetworkError, RetryAfter

from bot.slots import without_slot
from bot.store import Store
from bot.tables import holds
from bot.waiting import seconds, waiting_helps

log = logging.getLogger(__name__)
Result = TypeVar("Result")

PATIENCE_SECONDS = 900.0  # a wait that is longer is the caller's to deal with
PAUSES = (0.5, 2.0, 5.0)  # seconds between tries on a broken connection
CHAT = "chat"  # sends and edits: Telegram counts them together for a chat
MARGIN_SECONDS = 0.2  # Telegram's numbers are whole seconds
LONGEST_SECONDS = 2 * 86_400.0  # a stored wait that is longer was stored while the clock was wrong


class Held(RetryAfter):
    """Telegram has asked to wait until ``until`` (seconds since 1970), and that is not over."""

    def __init__(self, until: float) -> None:
        super().__init__(max(1, math.ceil(until - time.time())))
        self.until = until


class RateLimiter:
    """A bucket per person: ``burst`` writes at once, then ``per_second``. Nobody waits for another."""

    def __init__(self, *, per_second: float = 1.0, burst: int = 5) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[tuple[int, str], _Bucket] = {}
        self._ends: dict[tuple[int, str], float] = {}  # of waits; monotonic, so the clock may be set
        self._store: Store | None = None

    async def remember(self, store: Store) -> None:
        """Go on with the waits of the last run, and store those that come."""
        self._store = store
        for hold in await holds.all_left(store):
            left = min(hold.until - time.time(), LONGEST_SECONDS)
            self._ends[hold.person, hold.method] = time.monotonic() + left

    async def __call__(
        self, person: int, write: Callable[[], Awaitable[Result]], *, retry: bool = True
    ) -> Result:
        """Do one write, in order with the person's others. Waits as long as Telegram says.

        With ``retry`` a broken connection is tried again, which may do the write twice: right for a
        message, wrong for what must happen once. Raises Held for a wait over ``PATIENCE_SECONDS``.
        """
        bucket = self._bucket(person, CHAT)
        async with without_slot(), bucket.lock:
            if (pause := bucket.take(self._per_second, self._burst)) > 0:
                await asyncio.sleep(pause)
            return await self._patiently(person, write, PAUSES if retry else ())

    async def at_once(
        self, person: int, method: str, call: Callable[[], Awaitable[Result]], *, paced: bool = False
    ) -> Result:
        """Call a method that has a limit of its own. Raises Held, without a call while a wait is not over.

        ``paced`` calls of one person come one at a time, as fast as messages but not counted with them.
        """
        if not paced:
            return await self._once(person, method, call)
        bucket = self._bucket(person, "paced")
        self.check(person, method)
        async with without_slot(), bucket.lock:
            await asyncio.sleep(bucket.take(self._per_second, self._burst))
            return await self._once(person, method, call)

    async def _once(self, person: int, method: str, call: Callable[[], Awaitable[Result]]) -> Result:
        self.check(person, method)
        try:
            return await call()
        except RetryAfter as error:
            raise Held(await self._hold(person, method, error)) from error

    async def _patiently(
        self, person: int, write: Callable[[], Awaitable[Result]], pauses: tuple[float, ...]
    ) -> Result:
        """Try until it is done, refused, or patience is at its end."""
        broken = 0
        while True:
            if (left := self._left(person, CHAT)) > 0:
                if left > PATIENCE_SECONDS:
                    raise Held(time.time() + left)
                await asyncio.sleep(left)
            try:
                return await write()
            except RetryAfter as error:
                await self._hold(person, CHAT, error)
            except NetworkError as error:
                if broken == len(pauses) or not waiting_helps(error):
                    raise
                await asyncio.sleep(pauses[broken])
                broken += 1

    async def _hold(self, person: int, method: str, error: RetryAfter) -> float:
        wait = seconds(error.retry_after) + MARGIN_SECONDS
        self._ends[person, method], until = time.monotonic() + wait, time.time() + wait
        if self._store is not None:
            await holds.put(self._store, person, method, until)
        log.info("Telegram asks to wait %.0f s before the next %s", wait, method)
        return until

    def _left(self, person: int, method: str) -> float:
        """Seconds until the end of a wait; none or less if there is none."""
        return self._ends.get((person, method), -math.inf) - time.monotonic()

    def check(self, person: int, method: str) -> None:
        """Raise Held while Telegram's wait for this method is not over."""
        if (left := self._left(person, method)) > 0:
            raise Held(time.time() + left)

    def _bucket(self, person: int, kind: str) -> _Bucket:
        if (bucket := self._buckets.get((person, kind))) is None:
            bucket = self._buckets[person, kind] = _Bucket(self._burst)
        return bucket


class _Bucket:
    """What one person may still be sent at once."""

    def __init__(self, tokens: float) -> None:
        self.lock = asyncio.Lock()
        self._tokens = tokens
        self._at = time.monotonic()

    def take(self, per_second: float, burst: int) -> float:
        """Take one; gives the seconds to wait before using it."""
        now = time.monotonic()
        self._tokens = min(burst, self._tokens + (now - self._at) * per_second) - 1
        self._at = now
        return max(0.0, -self._tokens / per_second)
