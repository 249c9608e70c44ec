"""Tells the admins of failures in private: each kind at most once an hour, as rows of the outbox.

A failure is logged where it is seen. ``extra=telling(key, ...)`` of ``bot.telling`` in that call has the admins told,
too, by the handler that ``Admins.listening`` puts on the log. So no part needs to know the admins.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager

from telegram.error import TelegramError

from bot.outbox import Outbox
from bot.sender import Sender
from bot.store import Store
from bot.tables import notices, outbox, people
from bot.words import Words

log = logging.getLogger(__name__)

PAUSE_SECONDS = 3600.0  # between two notices of one kind
STORE_SECONDS = 10.0  # a database that takes no row for so long is what has failed


class Admins:
    """The people in ``access.admins``."""

    def __init__(self, *, ids: Sequence[int], store: Store, sender: Sender, outbox: Outbox) -> None:
        self.ids = frozenset(ids)
        self._store = store
        self._sender = sender
        self._outbox = outbox
        self._languages = dict.fromkeys(ids, "en")
        self._sent: dict[str, float] = {}  # kinds that were told without a row -> monotonic seconds
        self._tasks: set[asyncio.Task[None]] = set()

    async def tell(self, key: str, **params: object) -> None:
        """Store a text of the locales for each admin, unless this key was told in the last hour.

        May be called in a transaction, with which it is stored or not.
        """
        if not self.ids:
            return
        async with self._store.transaction():
            await self._read_languages()
            if not await notices.due(self._store, key, PAUSE_SECONDS) or self._was_sent(key):
                return
            for id in self.ids:
                await outbox.put(self._store, id, self._text(id, key, params))
        for id in self.ids:
            self._outbox.wake(id)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Tell of what is logged with ``telling`` for as long as the block lasts."""
        await self._read_languages()
        handler = _Handler(self, asyncio.get_running_loop())
        logger = logging.getLogger("bot")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def soon(self, key: str, params: dict[str, object]) -> None:
        """``tell`` in a task of its own, and without a row where the database takes none."""
        telling = self._start(self.tell(key, **params))
        self._start(self._send_if_late(telling, key, params))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_if_late(self, telling: asyncio.Task[None], key: str, params: dict[str, object]) -> None:
        """Send at once if no row is stored soon. The row is not given up: it remembers that the admins know."""
        await asyncio.wait([telling], timeout=STORE_SECONDS)
        failed = telling.done() and not telling.cancelled() and telling.exception() is not None
        if (telling.done() and not failed) or self._was_sent(key):
            return
        self._sent[key] = time.monotonic()
        for id in self.ids:
            try:
                await self._sender.text(id, self._text(id, key, params))
            except TelegramError as error:
                log.info("an admin cannot be told: %s", type(error).__name__)

    def _was_sent(self, key: str) -> bool:
        return time.monotonic() - self._sent.get(key, float("-inf")) < PAUSE_SECONDS

    async def _read_languages(self) -> None:
        for id in self.ids:
            self._languages[id] = await people.language_of(self._store, id, "en")

    def _text(self, id: int, key: str, params: dict[str, object]) -> str:
        return Words(self._languages[id])(key, **params)


class _Handler(logging.Handler):
    """Gives records that are for the admins to ``Admins``. Threads log, too."""

    def __init__(self, admins: Admins, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._admins = admins
        self._loop = loop

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on."""
        if (found := getattr(record, "admins", None)) is not None and self._admins.ids:
            self._loop.call_soon_threadsafe(self._admins.soon, *found)
