"""How many updates and uploads of one person are stored in a minute. More are dropped, and the person is told once.

They are counted in the rows of the inbox. The rows of the last minute are read at the start, so a restart forgets none.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from bot.config import Quotas
from bot.reading import Json, author, has_file
from bot.sender import Sender
from bot.store import Store
from bot.tables import inbox, people
from bot.words import Words

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0


class Bursts:
    """``sift`` gives the updates of a batch that may be stored. ``limits_of`` gives a person's limits."""

    def __init__(self, *, limits_of: Callable[[int], Quotas], store: Store, sender: Sender) -> None:
        self._limits_of = limits_of
        self._store = store
        self._sender = sender
        self._updates: dict[
            int, deque[float]
        ] = {}  # by person: when those of the last minute came, monotonic
        self._uploads: dict[int, deque[float]] = {}
        self._told: dict[int, float] = {}

    async def load(self) -> None:
        """Count what the last run has stored."""
        for person, received_at, upload in await inbox.since(self._store, time.time() - WINDOW_SECONDS):
            age = max(0.0, time.time() - received_at)  # the clock may have been set back
            _count(self._updates, person, time.monotonic() - age)
            if upload:
                _count(self._uploads, person, time.monotonic() - age)

    async def sift(self, updates: Sequence[Json]) -> list[Json]:
        """Without what is too much for one minute. Button presses are not left out: they are answered at once."""
        self._forget_old(time.monotonic() - WINDOW_SECONDS)
        return [update for update in updates if await self._may_pass(update)]

    async def _may_pass(self, update: Json) -> bool:
        who, now = author(update), time.monotonic()
        if who is None:
            return True
        limits, upload = self._limits_of(who.id), has_file(update)
        for most, counted, key in (
            (limits.uploads_per_minute if upload else 0, self._uploads, "limit-uploads"),
            (limits.updates_per_minute, self._updates, "limit-updates"),
        ):
            times = counted.get(who.id, deque())
            if most and len(times) >= most:
                if who.private:
                    await self._tell(who.id, who.language, key, most, times[0] + WINDOW_SECONDS - now)
                return False
        _count(self._updates, who.id, now)
        if upload:
            _count(self._uploads, who.id, now)
        return True

    async def _tell(self, person: int, language: str, key: str, most: int, seconds: float) -> None:
        if person in self._told:
            return
        self._told[person] = time.monotonic()
        log.info("somebody sends too much at once: %s", key)
        words = Words(await people.language_of(self._store, person, language))
        await self._sender.text_once(person, words(key, most=most, when=words.relative(seconds)))

    def _forget_old(self, before: float) -> None:
        for counted in (self._updates, self._uploads):
            for person in [person for person, times in counted.items() if times[-1] < before]:
                del counted[person]
            for times in counted.values():
                while times[0] < before:
                    times.popleft()
        self._told = {person: at for person, at in self._told.items() if at >= before}


def _count(counted: dict[int, deque[float]], person: int, at: float) -> None:
    counted.setdefault(person, deque()).append(at)
