"""The end of a shared style: its guests lose it, their open jobs end, and they are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.dispatch import Dispatch
from bot.outbox import Outbox
from bot.reports import named
from bot.store import Store
from bot.tables import jobs, outbox, people, reports, shares
from bot.tables.jobs import Job
from bot.tables.reports import Reported
from bot.tables.styles import Style
from bot.words import Words


async def end(store: Store, dispatch: Dispatch, sending: Outbox, style: Style) -> int:
    """End all use of a style by its link; gives how many people used it. The owner's own jobs go on."""
    async with store.transaction():
        guests, ended = await _take_back(store, style.id, style.keyword)
    await _stop(dispatch, sending, guests, ended)
    return len(guests)


async def end_reported(store: Store, dispatch: Dispatch, sending: Outbox, found: Reported) -> int:
    """``end`` as an admin's decision on reports: they are over, and the owner reads why."""
    async with store.transaction():
        if found.shared:
            words = Words(await people.language_of(store, found.owner, "en"))
            text = words("share-stopped", keyword=found.keyword, reasons=named(words, found))
            await outbox.put(store, found.owner, text)
        await reports.forget(store, found.style)
        await shares.bar(store, found.style, True)
        guests, ended = await _take_back(store, found.style, found.keyword)
    await _stop(dispatch, sending, [*guests, found.owner], ended)
    return len(guests)


async def _take_back(store: Store, style: int, keyword: str) -> tuple[list[int], list[Job]]:
    """The rows of the end: who lost the style, and their jobs that have ended with it."""
    guests = await shares.end(store, style)
    for guest in guests:
        words = Words(await people.language_of(store, guest, "en"))
        await outbox.put(store, guest, words("share-ended", keyword=keyword))
    return guests, await jobs.end_lent(store, style)


async def _stop(dispatch: Dispatch, sending: Outbox, told: Iterable[int], ended: Sequence[Job]) -> None:
    await dispatch.stop(ended)
    for person in told:
        sending.wake(person)
