"""Sends the texts of the outbox, one person's in order. A kill may send one twice, never not at all."""

from __future__ import annotations

import logging

from telegram.error import BadRequest, Forbidden

from bot.per_person import PerPerson
from bot.sender import Sender
from bot.store import Store
from bot.tables import outbox

log = logging.getLogger(__name__)


class Outbox:
    """Put a text in with ``outbox.put``, in the transaction that it belongs to, then ``wake``."""

    def __init__(self, *, store: Store, sender: Sender) -> None:
        self._store = store
        self._sender = sender
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """There is a text for this person."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Send what the last run left."""
        for person in await outbox.people_waiting(self._store):
            self.wake(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        for id, text in await outbox.of_person(self._store, person):
            try:
                await self._sender.text(person, text)
            except (Forbidden, BadRequest) as error:
                log.warning("a text cannot be sent: %s", type(error).__name__)
            await outbox.sent(self._store, id)
