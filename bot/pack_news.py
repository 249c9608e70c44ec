"""What people are told about their packs: what is in, what was refused, and how long Telegram makes them wait."""

from __future__ import annotations

import time

from bot.deliver import below
from bot.sender import Sender
from bot.store import Store
from bot.tables import drawings, holds, packs, people
from bot.tables.packs import Pack, PackSticker, StickerState
from bot.words import Html, Words

TOLD_SECONDS = 10.0  # the person reads of a wait from this length on
MOST_REFUSALS = 3  # of names, or of the file, before a sticker is given up


class PackNews:
    """Tells from the rows, which remember what has been told."""

    def __init__(self, *, store: Store, sender: Sender) -> None:
        self._store = store
        self._sender = sender
        self._told_until: dict[int, float] = {}  # person -> the end of a wait that they have read of

    async def tell_wait(self, person: int, until: float) -> None:
        """One message, edited, on how long Telegram makes the pack wait."""
        now = time.time()
        if until <= now:
            await holds.forget(self._store, person)
            return
        if until - now < TOLD_SECONDS or abs(until - self._told_until.get(person, 0.0)) < 1.0:
            return
        words = Words((await people.get(self._store, person)).language)
        clock = time.strftime("%H:%M", time.gmtime(until + 59))
        text = words("pack-waits", time=Html(words.duration(until - now)), clock=clock)
        message_id = await holds.message_of(self._store, person)
        if message_id is None or not await self._sender.edit(person, message_id, text):
            message_id = await self._sender.text(person, text)
        await holds.told(self._store, person, message_id)
        self._told_until[person] = until

    async def tell(self, person: int) -> None:
        """One message for all that has come in since the last, and the buttons below the stickers."""
        untold = await packs.untold_of(self._store, person)
        if not untold:
            return
        words = Words((await people.get(self._store, person)).language)
        added = [sticker for sticker in untold if sticker.state == StickerState.ADDED]
        for sticker in added:
            await self._mark_button(words, sticker)
        for pack in dict.fromkeys(sticker.pack for sticker in added if sticker.pack):
            await self._announce(words, await packs.get(self._store, pack), added)
        failed = [sticker for sticker in untold if sticker.state == StickerState.FAILED]
        if failed:
            key = "pack-names-refused" if any(s.refusals >= MOST_REFUSALS for s in failed) else "pack-refused"
            await self._sender.text(person, words(key, n=len(failed)))
        await packs.tell(self._store, [sticker.id for sticker in untold])

    async def _announce(self, words: Words, pack: Pack, added: list[PackSticker]) -> None:
        n = sum(sticker.pack == pack.id for sticker in added)
        link = f"https://t.me/addstickers/{pack.name}"
        text = words("pack-added", n=n, title=pack.title, link=Html(link))
        await self._sender.text(pack.person, text, buttons=[[(words.plain("button-open-pack"), link)]])

    async def _mark_button(self, words: Words, sticker: PackSticker) -> None:
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        if found is None or not found[0].message_id or sticker.pack is None:
            return
        pack = await packs.get(self._store, sticker.pack)
        buttons = below(words, found[1], found[0], pack)
        await self._sender.edit_buttons(sticker.person, found[0].message_id, buttons)
