"""Updates stored before they are confirmed to Telegram, then worked off: one person's in order.

python-telegram-bot's own polling confirms a batch before its handlers have run, so a kill loses updates; and
one update that it cannot read ends the program. Here a batch is stored as raw JSON, only the next call
confirms it, and each update is read by itself.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence

from telegram import Bot, Update
from telegram.error import Forbidden

from bot import metrics
from bot.errors import KeepForLater
from bot.per_person import PerPerson
from bot.poll import Json, Poll
from bot.reading import owner, read
from bot.slots import without_slot
from bot.state_log import StateLog
from bot.store import Store
from bot.tables import inbox
from bot.tables.inbox import DAY, Letter, LetterState
from bot.telling import telling, telling_of
from bot.waiting import pause_after, waiting_helps
from bot.webhook import Webhook

log = logging.getLogger(__name__)

PEOPLE_AT_ONCE = 32
CRASHES = 3  # of one update while others succeed, before it is given up
MOST_CRASHES = 10  # of one update, whatever happens to others
TRIES = 20  # begun before, with those that a kill has ended: an update that kills the process must not do so for ever
LONGEST_PAUSE = 30.0  # seconds


class Inbox:
    """Fetches, stores, and hands updates to ``handle``. ``give_up`` gets those that cannot be worked off.

    Without a ``webhook`` it polls. ``sift`` says which of a batch are stored at all.
    """

    def __init__(
        self,
        *,
        bot: Bot,
        store: Store,
        sift: Callable[[Sequence[Json]], Awaitable[Sequence[Json]]],
        handle: Callable[[Update], Awaitable[None]],
        give_up: Callable[[Update, Exception | None], Awaitable[None]],
        webhook: Webhook | None = None,
    ) -> None:
        self._bot = bot
        self._poll = Poll(bot)
        self._webhook = webhook
        self._store = store
        self._sift = sift
        self._handle = handle
        self._give_up = give_up
        self._per_person = PerPerson(self._work_off, at_once=PEOPLE_AT_ONCE)
        self._state = StateLog(log, "updates are worked off again")
        self._old = float("inf")  # row ids up to this one are from before the first batch
        self._begun: set[int] = set()  # rows whose try is under way, or broke off
        self._done = 0
        self._crashing: set[int] = set()  # updates whose last try crashed
        self._unreadable, self._unreadable_logged = 0, float("-inf")

    @property
    def updates_come(self) -> bool:
        """Whether Telegram gave updates, or said that there are none, when it was last asked."""
        return (self._webhook or self._poll).works

    async def run(self) -> None:
        """First what a kill has left undone, then take updates until cancelled. Raises ConfigError."""
        try:
            for person in await inbox.people_waiting(self._store):
                self._per_person.wake(person)
            await (self._webhook.run(self.take_in) if self._webhook else self._fetch())
        finally:
            await self._per_person.close()
            await self._poll.close()

    async def take_in(self, updates: Sequence[Json]) -> None:
        """Store a batch, all of it on the disk when this returns, and begin to work on it.

        What ``sift`` leaves out, the updates of strangers, is not stored: nothing of it is to be done later.
        """
        for update in updates:
            metrics.count_update(update)
        if self._old == float("inf"):
            self._old = await inbox.newest(self._store)
        letters = [(owner(update), update) for update in await self._sift(updates)]
        if not letters:
            return
        await inbox.put(self._store, letters)
        for person, _ in letters:
            self._per_person.wake(person)

    async def _fetch(self) -> None:
        while True:
            if updates := await self._poll.next():
                await self._store_surely(updates)

    async def _store_surely(self, updates: Sequence[Json]) -> None:
        """Store a batch, whatever the disk says meanwhile: it is not confirmed before that."""
        number = 0
        while True:
            try:
                await self.take_in(updates)
                return
            except sqlite3.OperationalError as error:
                if not waiting_helps(error):
                    raise
                await asyncio.sleep(pause_after(error, number, longest=LONGEST_PAUSE))
                number += 1

    async def _work_off(self, person: int) -> None:
        while letter := await inbox.oldest(self._store, person):
            await self._count_try(letter)
            await self._work_on(letter)
            self._begun.discard(letter.id)
            self._done += 1

    async def _count_try(self, letter: Letter) -> None:
        """Before it begins, so that an update that kills the process counts. The first was counted in ``put``."""
        if letter.id <= self._old or letter.id in self._begun:
            await inbox.count(self._store, letter, 1)
        self._begun.add(letter.id)

    async def _work_on(self, letter: Letter) -> None:
        """Try until it is done, kept for later, put aside or given up."""
        update = read(letter.body, self._bot)
        if update is None:
            await inbox.end(self._store, letter, LetterState.UNREADABLE)
            self._log_unreadable()
            return
        if letter.tries >= TRIES:
            await self._surrender(letter, update, None)
            return
        try:
            await self._try(letter, update)
        finally:
            self._crashing.discard(letter.id)

    async def _try(self, letter: Letter, update: Update) -> None:
        waits, crashes, done_before = 0, 0, self._done
        while True:
            try:
                state = await self._outcome(letter, update)
                await inbox.end(self._store, letter, state)
                metrics.ANSWER_SECONDS.observe(max(0.0, time.time() - letter.received_at))
                self._state.works()
                return
            except Exception as error:
                if waiting_helps(error):
                    await self._wait(letter, error, waits)
                    waits += 1
                    continue
                crashes += 1
                self._crashing.add(letter.id)
                log.warning("update %d, crash %d: %s", letter.update_id, crashes, type(error).__name__)
                others_work = self._done > done_before or len(self._crashing) == 1
                if (crashes >= CRASHES and others_work) or crashes >= MOST_CRASHES:
                    await self._surrender(letter, update, error)
                    return
                async with without_slot():
                    await asyncio.sleep(pause_after(error, crashes - 1, longest=LONGEST_PAUSE))
                await inbox.count(self._store, letter, 1)

    async def _outcome(self, letter: Letter, update: Update) -> LetterState:
        try:
            await self._handle(update)
        except KeepForLater:
            return LetterState.KEPT
        except Forbidden:
            log.info("update %d: its person cannot be written to", letter.update_id)
        return LetterState.DONE

    async def _wait(self, letter: Letter, error: Exception, number: int) -> None:
        """Wait until a broken connection or a full disk may be over. It is not counted as a try."""
        kind = type(error).__name__
        self._state.fails(kind, f"updates wait until this is over: {kind}", extra=telling_of(error))
        await inbox.count(self._store, letter, -1)
        async with without_slot():
            await asyncio.sleep(pause_after(error, number, longest=LONGEST_PAUSE))
        await inbox.count(self._store, letter, 1)

    async def _surrender(self, letter: Letter, update: Update, error: Exception | None) -> None:
        """Give an update up. Its end and the apology for it are stored together, or neither is."""
        try:
            async with self._store.transaction():
                await self._give_up(update, error)
                await inbox.end(self._store, letter, LetterState.DONE)
        except Exception as second:
            if waiting_helps(second):
                raise  # the person's work is tried again as a whole
            log.warning("update %d: no apology is possible: %s", letter.update_id, type(second).__name__)
            await inbox.end(self._store, letter, LetterState.DONE)

    def _log_unreadable(self) -> None:
        """One line a day, with how many there were since the start."""
        self._unreadable += 1
        if time.monotonic() - self._unreadable_logged > DAY:
            self._unreadable_logged = time.monotonic()
            log.warning(
                "updates that the library cannot read were put aside, %d since the start",
                self._unreadable,
                extra=telling("admin-unreadable", n=self._unreadable),
            )
