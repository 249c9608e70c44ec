"""Updates stored before they are confirmed to Telegram, then worked off: one person's in order.

python-telegram-bot's own polling confirms a batch before its handlers have run, so a kill loses updates. Here
a batch is committed, and only the next call's offset confirms it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from telegram import Bot, Update
from telegram.error import Conflict, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.per_person import PerPerson
from bot.rate_limit import passes
from bot.store import Store
from bot.tables import inbox
from bot.tables.inbox import Letter

log = logging.getLogger(__name__)

POLL_SECONDS = 50
KINDS = ["message", "callback_query"]
PEOPLE_AT_ONCE = 32
CRASHES = 3  # of one handler on one update, before it is given up
TRIES = 20  # with kills and broken connections; one that kills the process must not do so for ever
LONGEST_PAUSE = 30.0  # seconds


class Inbox:
    """Fetches, stores, and hands updates to ``handle``. ``give_up`` gets those that cannot be worked off."""

    def __init__(
        self,
        *,
        bot: Bot,
        store: Store,
        handle: Callable[[Update], Awaitable[None]],
        give_up: Callable[[Update, Exception | None], Awaitable[None]],
    ) -> None:
        self._bot = bot
        self._store = store
        self._handle = handle
        self._give_up = give_up
        self._per_person = PerPerson(self._work_off, at_once=PEOPLE_AT_ONCE)

    async def run(self) -> None:
        """First what a kill has left undone, then poll until cancelled."""
        try:
            await inbox.forget_old(self._store)
            for person in await inbox.people_waiting(self._store):
                self._per_person.wake(person)
            await self._poll()
        finally:
            await self._per_person.close()

    async def take_in(self, updates: tuple[Update, ...]) -> None:
        """Store a batch, all of it on the disk when this returns, and begin to work on it."""
        letters = [(update.update_id, _person(update), update.to_json()) for update in updates]
        await inbox.put(self._store, letters)
        for _, person, _ in letters:
            self._per_person.wake(person)

    async def _poll(self) -> None:
        offset, pause = None, 1.0
        while True:
            try:
                updates = await self._bot.get_updates(
                    offset=offset, timeout=POLL_SECONDS, allowed_updates=KINDS
                )
            except (NetworkError, RetryAfter, Conflict) as error:
                log.warning("no updates: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            await self.take_in(updates)
            # None after an empty batch: after a quiet week Telegram counts from another number.
            offset, pause = (updates[-1].update_id + 1 if updates else None), 1.0

    async def _work_off(self, person: int) -> None:
        while letter := await inbox.next_of(self._store, person):
            await self._work_on(letter)
            await inbox.done(self._store, letter.update_id)

    async def _work_on(self, letter: Letter) -> None:
        """Try until it is done or given up; a broken connection keeps this person's updates waiting."""
        update = Update.de_json(json.loads(letter.body), self._bot)
        crashes, last = 0, None
        for number in range(letter.tries, TRIES):
            await inbox.begin(self._store, letter.update_id)
            try:
                await self._handle(update)
                return
            except Forbidden:
                log.info("update %d: its person has blocked the bot", letter.update_id)
                return
            except Exception as error:
                last = error
                crashes += not passes(error)
                log.warning("update %d, try %d: %s", letter.update_id, number + 1, type(error).__name__)
            if crashes == CRASHES:
                break
            await asyncio.sleep(min(0.2 * 2**number, LONGEST_PAUSE))
        await self._surrender(update, last)

    async def _surrender(self, update: Update, error: Exception | None) -> None:
        try:
            await self._give_up(update, error)
        except TelegramError as second:
            log.warning("update %d: no apology was possible: %s", update.update_id, second)


def _person(update: Update) -> int:
    """Whose order counts: the person's, or the chat's where there is none."""
    who = update.effective_user or update.effective_chat
    return who.id if who else 0
