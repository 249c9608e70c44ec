"""Deletes all that is held of a person who asks for it: jobs, rows, files and, if wished, their packs on Telegram.

A row asks for it before anything is deleted. Each step is stored, and a restart goes on with the next one.
"""

from __future__ import annotations

import time

from telegram.error import BadRequest, Forbidden

from bot import sharing
from bot.blobs import Blobs
from bot.dispatch import Dispatch
from bot.outbox import Outbox
from bot.packs import Packs
from bot.per_person import PerPerson
from bot.rate_limit import Held
from bot.sender import Sender
from bot.store import Store
from bot.tables import erasures, jobs, styles
from bot.tables.erasures import Erasure
from bot.words import Words

LOOK_AGAIN_SECONDS = 0.5  # while the update that asked is worked off


class Erasing:
    """``begin`` deletes what is on this machine, in the order of the person's messages; the rest follows."""

    def __init__(
        self,
        *,
        store: Store,
        blobs: Blobs,
        sender: Sender,
        outbox: Outbox,
        dispatch: Dispatch,
        packs: Packs,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._outbox = outbox
        self._dispatch = dispatch
        self._packs = packs
        self._per_person = PerPerson(self._serve)

    async def begin(self, person: int) -> None:
        """Delete jobs, rows and files of a person whose erasure is stored."""
        asked = await erasures.get(self._store, person)
        if asked is not None and asked.sets is None:
            for job in await jobs.active_of(self._store, person):
                await self._dispatch.cancel(person, job.id)
            for style in await styles.all_of(self._store, person):
                await sharing.end(self._store, self._dispatch, self._outbox, style)
            await erasures.delete_rows(self._store, asked)
            await self._blobs.sweep_all()
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Go on with what a kill has interrupted, before anybody's updates are worked off."""
        for person in await erasures.people(self._store):
            await self.begin(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        asked = await erasures.get(self._store, person)
        if asked is None:
            return
        try:
            for name in asked.sets or ():
                await self._packs.delete_set(person, name)
                await erasures.set_deleted(self._store, person, name)
        except Held as wait:
            self._per_person.wake_later(person, wait.until - time.time())
            return
        await self._tell(asked)
        if not await erasures.end(self._store, asked):
            self._per_person.wake_later(person, LOOK_AGAIN_SECONDS)
            return
        await self._store.empty_log()

    async def _tell(self, asked: Erasure) -> None:
        text = Words(asked.language)("forgotten-packs" if asked.with_packs else "forgotten")
        try:
            if not await self._sender.edit(asked.person, asked.message_id, text):
                await self._sender.text(asked.person, text)
        except (Forbidden, BadRequest):
            return  # who has blocked the bot knows what they asked for
