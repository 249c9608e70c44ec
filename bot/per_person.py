"""One running task per person: a person's work in order, different people side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.rate_limit import passes

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after work that failed, doubling


class PerPerson:
    """``wake(person)`` runs ``work(person)`` soon; woken meanwhile, it runs once more. Work is in the store.

    Work that raises is logged and tried again after a pause.
    """

    def __init__(self, work: Callable[[int], Awaitable[None]], *, at_once: int = 1000) -> None:
        self._work = work
        self._slots = asyncio.Semaphore(at_once)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._dirty: set[int] = set()
        self._closed = False

    def wake(self, person: int) -> None:
        """There is something to do for this person."""
        if self._closed:
            return  # the next start finds it in the store
        self._dirty.add(person)
        if person not in self._tasks:
            self._tasks[person] = asyncio.create_task(self._run(person))

    async def close(self) -> None:
        """End all work where it stands."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, person: int) -> None:
        pause = FIRST_PAUSE
        try:
            while person in self._dirty:
                self._dirty.discard(person)
                try:
                    async with self._slots:
                        await self._work(person)
                    pause = FIRST_PAUSE
                except Exception as error:
                    why = type(error).__name__ if passes(error) else ""
                    log.warning(
                        "work for one person failed, again in %.0f s %s", pause, why, exc_info=not why
                    )
                    self._dirty.add(person)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            del self._tasks[person]
