"""The end of a shared style: its guests lose it, their open jobs end, and they are told."""

from __future__ import annotations

from bot.dispatch import Dispatch
from bot.outbox import Outbox
from bot.store import Store
from bot.tables import jobs, outbox, people, shares
from bot.tables.styles import Style
from bot.words import Words


async def end(store: Store, dispatch: Dispatch, sending: Outbox, style: Style) -> int:
    """End all use of a style by its link; gives how many people used it. The owner's own jobs go on."""
    async with store.transaction():
        guests = await shares.end(store, style.id)
        for guest in guests:
            words = Words(await people.language_of(store, guest, "en"))
            await outbox.put(store, guest, words("share-ended", keyword=style.keyword))
        ended = await jobs.end_lent(store, style.id)
    await dispatch.stop(ended)
    for guest in guests:
        sending.wake(guest)
    return len(guests)
