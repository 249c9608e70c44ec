"""How fast the bot writes to one person, and the one place that knows Telegram's 429 and broken connections.

Telegram asks for about one message a second in a chat and tolerates short bursts. python-telegram-bot's own
limiter halts everybody for one person's 429 and does not see sticker-set calls at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from telegram.error import BadRequest, NetworkError, RetryAfter

log = logging.getLogger(__name__)
Result = TypeVar("Result")

PATIENCE_SECONDS = 900.0  # a 429 that asks for more than this in all is the caller's to deal with
PAUSES = (0.5, 2.0, 5.0)  # seconds between tries on a broken connection


class RateLimiter:
    """A bucket per person: ``burst`` writes at once, then ``per_second``. Nobody waits for another."""

    def __init__(self, *, per_second: float = 1.0, burst: int = 5) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[int, _Bucket] = {}

    async def __call__(
        self, person: int, write: Callable[[], Awaitable[Result]], *, retry: bool = True
    ) -> Result:
        """Do one write, in order with the person's others. Waits as long as Telegram says.

        With ``retry`` a broken connection is tried again, which may do the write twice: right for a
        message, wrong for what must happen once.
        """
        bucket = self._buckets.setdefault(person, _Bucket(self._burst))
        async with bucket.lock:
            await asyncio.sleep(bucket.take(self._per_second, self._burst))
            return await _patiently(write, PAUSES if retry else ())


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


async def _patiently(write: Callable[[], Awaitable[Result]], pauses: tuple[float, ...]) -> Result:
    """Try until it is done, refused, or patience is at its end."""
    waited, broken = 0.0, 0
    while True:
        try:
            return await write()
        except RetryAfter as error:
            pause = _seconds(error.retry_after) + 0.2
            waited += pause
            if waited > PATIENCE_SECONDS:
                raise
            log.info("Telegram asks to wait %.0f s", pause)
        except NetworkError as error:
            if broken == len(pauses) or not passes(error):
                raise
            pause = pauses[broken]
            broken += 1
        await asyncio.sleep(pause)


def passes(error: Exception) -> bool:
    """Whether waiting may help. BadRequest is a NetworkError to python-telegram-bot, but stays a refusal."""
    return isinstance(error, NetworkError | RetryAfter) and not isinstance(error, BadRequest)


def _seconds(retry_after: int | timedelta) -> float:
    """An int today; a timedelta where PTB_TIMEDELTA is set."""
    return retry_after.total_seconds() if isinstance(retry_after, timedelta) else float(retry_after)
