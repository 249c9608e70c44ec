"""One running task per person: a person's work in order, different people side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram.error import RetryAfter

from bot.slots import slot
from bot.telling import telling_of
from bot.waiting import seconds, waiting_helps

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after work that failed, doubling


class PerPerson:
    """``wake(person)`` runs ``work(person)`` soon; woken meanwhile, it runs once more. Work is in the store.

    Work that raises is tried again after a pause. It is logged when it fails first and when its error changes.
    """

    def __init__(self, work: Callable[[int], Awaitable[None]], *, at_once: int = 1000) -> None:
        self._work = work
        self._slots = asyncio.Semaphore(at_once)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._dirty: set[int] = set()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._closed = False

    def wake(self, person: int) -> None:
        """There is something to do for this person."""
        if self._closed:
            return  # the next start finds it in the store
        self._dirty.add(person)
        if person not in self._tasks:
            self._tasks[person] = asyncio.create_task(self._run(person))

    def wake_later(self, person: int, pause: float) -> None:
        """There will be something to do in ``pause`` seconds. A later call replaces the time."""
        if (timer := self._timers.pop(person, None)) is not None:
            timer.cancel()
        if not self._closed:
            self._timers[person] = asyncio.get_running_loop().call_later(max(0.0, pause), self.wake, person)

    async def close(self) -> None:
        """End all work where it stands."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, person: int) -> None:
        pause, logged = FIRST_PAUSE, ""
        try:
            while person in self._dirty:
                self._dirty.discard(person)
                try:
                    async with slot(self._slots):
                        await self._work(person)
                    pause, logged = FIRST_PAUSE, ""
                except Exception as error:
                    if (kind := type(error).__name__) != logged:
                        logged = kind
                        shown = None if waiting_helps(error) else error
                        text = "work for one person failed and is tried again: %s"
                        log.warning(text, kind, exc_info=shown, extra=telling_of(error))
                    self._dirty.add(person)
                    told = seconds(error.retry_after) if isinstance(error, RetryAfter) else 0.0
                    await asyncio.sleep(max(pause, told))
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            del self._tasks[person]
