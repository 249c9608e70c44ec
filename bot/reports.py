"""Tells the admins of reports in private: one message for each style, which is edited when more people report it."""

from __future__ import annotations

import logging
from collections.abc import Collection

from telegram.error import BadRequest, Forbidden

from bot.per_person import PerPerson
from bot.sender import Sender
from bot.store import Store
from bot.tables import people, reports
from bot.tables.reports import Reason, Reported
from bot.words import Words

log = logging.getLogger(__name__)

REASONS = {Reason.UNSAFE: "reason-unsafe", Reason.WORK: "reason-work", Reason.OTHER: "reason-other"}


class Reports:
    """Tells from the rows, which remember what each admin has been told."""

    def __init__(self, *, ids: Collection[int], store: Store, sender: Sender) -> None:
        self._ids = ids
        self._store = store
        self._sender = sender
        self._per_admin = PerPerson(self._serve)

    def wake(self) -> None:
        """There may be a report that the admins do not know of."""
        for id in self._ids:
            self._per_admin.wake(id)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_admin.close()

    async def _serve(self, admin: int) -> None:
        words = Words(await people.language_of(self._store, admin, "en"))
        for style, message_id in await reports.untold(self._store, admin):
            if (found := await reports.of_style(self._store, style)) is not None:
                shown = await self._show(admin, message_id, _news(words, found))
                await reports.told(self._store, admin, found, shown)

    async def _show(self, admin: int, message_id: int | None, text: str) -> int | None:
        """The message that shows the text; None if this admin cannot be written to."""
        try:
            if message_id is not None and await self._sender.edit(admin, message_id, text):
                return message_id
            return await self._sender.text(admin, text)
        except (Forbidden, BadRequest) as error:
            log.warning("an admin cannot be told of a report: %s", type(error).__name__)
            return None


def named(words: Words, found: Reported) -> str:
    """The reasons, for the owner: not how many people gave them."""
    return ", ".join(words(REASONS[reason]) for reason in found.reasons)


def counted(words: Words, found: Reported) -> str:
    """The reasons, for admins: each with how often it was given."""
    return ", ".join(f"{words(REASONS[reason])} {n}" for reason, n in found.reasons.items())


def _news(words: Words, found: Reported) -> str:
    return words("admin-report", keyword=found.keyword, n=found.count, reasons=counted(words, found))
