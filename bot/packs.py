"""The part that changes people's packs on Telegram: what they want is a row, and is done here, one thing at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from telegram import Bot
from telegram.error import BadRequest, Forbidden

from bot.blobs import Blobs
from bot.pack_adding import NotStarted, PackAdding
from bot.pack_changing import PackChanging
from bot.pack_news import PackNews
from bot.pack_record import Later, PackRecord, says
from bot.per_person import PerPerson
from bot.rate_limit import Held, RateLimiter
from bot.sender import Sender
from bot.store import Store
from bot.tables import pack_changes, pack_stickers, people
from bot.waiting import waiting_helps

log = logging.getLogger(__name__)

MOST_CRASHES = 3
TELL_AFTER = 3  # failed rounds in a row: what is done by then is told, the rest goes on

Step = tuple[str, int]  # "sticker" or "change", and the id of its row


class Packs:
    """Works off what people want of their packs: stickers to add first, then changes, each in their order."""

    def __init__(
        self, *, bot: Bot, rate_limiter: RateLimiter, sender: Sender, store: Store, blobs: Blobs
    ) -> None:
        self.record = PackRecord(bot=bot, rate_limiter=rate_limiter, sender=sender, store=store, blobs=blobs)
        self._store = store
        self._adding = PackAdding(self.record)
        self._changing = PackChanging(self.record)
        self._crashes: dict[Step, int] = {}  # how often its work has crashed
        self._failures: dict[int, int] = {}  # person -> failed rounds in a row
        self._news = PackNews(store=store, sender=sender, record=self.record)
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """The person wants something of their packs."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Go on with what was on its way when the process ended."""
        waiting = await pack_stickers.people_waiting(self._store)
        for person in {*waiting, *await pack_changes.people_waiting(self._store)}:
            self.wake(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def delete_set(self, person: int, name: str) -> None:
        """Delete a sticker set on Telegram. One that is not there, or not this bot's, is no error. Raises Held."""

        async def delete() -> None:
            await self.record.bot.delete_sticker_set(name)

        try:
            await self.record.limited(person, "deleteStickerSet", delete)
        except BadRequest as error:
            if not says(error, "stickerset_invalid", "not found", "_not_found"):
                raise

    async def _serve(self, person: int) -> None:
        """Take each thing as far as possible. A wait of one delays only those that need the same method."""
        held: list[float] = []
        later: list[float] = []
        failure: Exception | None = None
        try:
            for step, work in await self._steps(person):
                try:
                    await work(step[1])
                except Held as wait:
                    held.append(wait.until)
                except Later as wait:
                    later.append(wait.until)
                except (Forbidden, NotStarted):
                    raise
                except Exception as error:
                    if waiting_helps(error):
                        failure = error
                        break
                    later.append(await self._crashed(step, error))
            self._failures[person] = self._failures.get(person, 0) + 1 if failure else 0
            if failure is None or self._failures[person] >= TELL_AFTER:
                await self._news.tell(person)
                await self._news.tell_wait(person, max(held, default=0.0))
        except Forbidden:
            await people.block(self._store, person)
            return
        except NotStarted:
            await pack_stickers.wait_for_start(self._store, person)
            return
        if failure is not None:
            raise failure
        if held or later:
            self._per_person.wake_later(person, min(held + later) - time.time())

    async def _steps(self, person: int) -> list[tuple[Step, Callable[[int], Awaitable[None]]]]:
        stickers = await pack_stickers.open_of(self._store, person)
        changes = await pack_changes.open_of(self._store, person)
        steps: list[tuple[Step, Callable[[int], Awaitable[None]]]] = []
        steps += [(("sticker", one.id), self._adding.finish) for one in stickers]
        return steps + [(("change", one.id), self._changing.finish) for one in changes]

    async def _crashed(self, step: Step, error: Exception) -> float:
        """Count a crash; gives when to try again. The last one ends the step, so that others go on."""
        self._crashes[step] = self._crashes.get(step, 0) + 1
        lost = isinstance(error, FileNotFoundError)  # its blob is gone
        log.error("a %s on its way into a pack crashed", step[0], exc_info=error)
        if lost or self._crashes[step] >= MOST_CRASHES:
            self._crashes.pop(step)
            if step[0] == "sticker":
                await pack_stickers.failed(self._store, step[1])
            else:
                await pack_changes.failed(self._store, step[1], "pack-change-failed")
            return time.time()
        return time.time() + self._crashes[step]
