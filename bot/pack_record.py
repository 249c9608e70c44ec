"""The bot's record of packs, made equal to what Telegram shows whenever a pack is shown or changed.

Owners also change their packs elsewhere (@Stickers, another app). Telegram shows of a sticker its ids and its first
emoji. Which of the stickers that the bot has added it is, is told by its picture; from then on by its unique file id.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from telegram import Bot, StickerSet
from telegram.constants import StickerSetLimit
from telegram.error import BadRequest, TelegramError

from bot.blobs import Blobs
from bot.clock import lately
from bot.rate_limit import RateLimiter
from bot.same_picture import same_picture
from bot.sender import SECONDS, Sender
from bot.small_sticker import small_sticker
from bot.store import Store
from bot.tables import drawings, pack_items, pack_stickers, packs
from bot.tables.pack_items import Item, Shown
from bot.tables.pack_stickers import PackSticker
from bot.tables.packs import Pack, PackKind, PackState

MAX_STICKERS = int(StickerSetLimit.MAX_STATIC_STICKERS)
MAX_EMOJI = int(StickerSetLimit.MAX_EMOJI_STICKERS)
LAG = (0.5, 0.5, 1.0, 1.0, 2.0)  # seconds between looks at a set that was made a moment ago
SLOW_SECONDS = 180.0  # so long a set that was made may be invisible
LOOK_AGAIN_SECONDS = 5.0

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Later(Exception):
    """There is nothing to do for this pack before ``until`` (seconds since 1970)."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


class PackRecord:
    """Looks into sticker sets, and stores what is there."""

    def __init__(
        self, *, bot: Bot, rate_limiter: RateLimiter, sender: Sender, store: Store, blobs: Blobs
    ) -> None:
        self.bot = bot
        self.limits = rate_limiter
        self.store = store
        self.blobs = blobs
        self._sender = sender

    async def limited(
        self, person: int, method: str, call: Callable[[], Awaitable[Result]], *, paced: bool = True
    ) -> Result:
        """Call a method of Telegram that has a limit of its own. Raises Held."""
        return await self.limits.at_once(person, method, call, paced=paced)

    async def look(self, pack: Pack, *, patient: bool = False) -> list[Item] | None:
        """The set's stickers, recorded; None if there is no such set of this bot, or none that can be seen yet."""
        for pause in (*(LAG if patient else ()), None):
            try:
                return await self._record(pack, await self.shown_in(pack))
            except BadRequest as error:
                if not says(error, "stickerset_invalid", "not found"):
                    raise
            if pause is not None:
                await asyncio.sleep(pause)
        return None

    async def shown_in(self, pack: Pack) -> StickerSet:
        """The set as Telegram shows it. Raises BadRequest if there is none, Held."""

        async def fetch() -> StickerSet:
            return await self.bot.get_sticker_set(pack.name, read_timeout=SECONDS)

        return await self.limited(pack.person, "getStickerSet", fetch, paced=False)

    async def thumbnail(self, pack: Pack) -> bytes | None:
        """The picture that stands for the set; None if its first sticker does."""
        found = await self.shown_in(pack)
        if found.thumbnail is None or pack.kind == PackKind.EMOJI:
            return None
        return await self._sender.download(pack.person, found.thumbnail.file_id)

    async def require(self, pack: Pack) -> list[Item] | None:
        """As ``look``, of a pack that was made: None if it is gone. Raises Later if it is too new to be seen."""
        found = await self.look(pack)
        if found is None:
            await self.invisible(pack)
        return found

    async def invisible(self, pack: Pack) -> None:
        """A pack that was made is not there: too new to be seen (raises Later), or deleted by its owner."""
        if too_new(pack):
            raise later()
        await self.gone(pack)

    async def gone(self, pack: Pack) -> None:
        """The set is not there any more; its stickers may be added again."""
        await packs.mark(self.store, pack.id, PackState.GONE)
        await pack_items.forget_pack(self.store, pack.id)

    async def picture(self, item: Item) -> bytes:
        """The file of a pack's sticker: the bot's own, else Telegram's, which is kept for the next time."""
        if item.sticker is not None:
            try:
                return await self.data(await pack_stickers.by_id(self.store, item.sticker))
            except FileNotFoundError:
                pass  # its style was deleted, and with it the file; the sticker itself is the owner's
        if item.blob is not None:
            with suppress(FileNotFoundError):  # a disk can lose it; Telegram has it still
                return await self.blobs.read(item.blob)
        data = await self._sender.download(item.person, item.file_id)
        async with self.blobs.keep(data) as (name,):
            await pack_items.fetched(self.store, item.id, name)
        return data

    async def picture_if_any(self, item: Item) -> bytes | None:
        """As ``picture``; None if Telegram refuses the file: the sticker itself can still be changed."""
        try:
            return await self.picture(item)
        except BadRequest as error:
            log.warning("Telegram does not give the file of a pack's sticker: %s", error)
            return None

    async def data(self, sticker: PackSticker) -> bytes:
        """The file to upload for a sticker. Raises FileNotFoundError."""
        if sticker.blob is not None:
            return await self.blobs.read(sticker.blob)
        if sticker.copy_of is not None:
            return await self._small_copy(sticker, sticker.copy_of)
        found = sticker.drawing and await drawings.get(self.store, sticker.person, sticker.drawing)
        if not found:
            raise FileNotFoundError(f"drawing {sticker.drawing}")
        return await self.blobs.read(found[0].blob)

    async def _small_copy(self, sticker: PackSticker, copy_of: str) -> bytes:
        """A custom emoji of another pack's sticker, kept so that it can be found by its picture."""
        item = await pack_items.of_person(self.store, sticker.person, copy_of)
        if item is None:
            raise FileNotFoundError(f"sticker {sticker.id} has nothing to be a copy of")
        small = await asyncio.to_thread(small_sticker, await self.picture(item))
        async with self.blobs.keep(small) as (name,):
            await pack_stickers.keep_picture(self.store, sticker.id, name)
        return small

    async def shows(self, item: Item, data: bytes) -> bool:
        """Whether a sticker of a set shows this picture. False also if Telegram does not give its file."""
        try:
            theirs = await self._sender.download(item.person, item.file_id)
        except BadRequest:
            return False
        return await asyncio.to_thread(same_picture, data, theirs)

    async def _record(self, pack: Pack, found: StickerSet) -> list[Item]:
        shown = [
            Shown(unique_id=one.file_unique_id, file_id=one.file_id, emoji=one.emoji or "")
            for one in found.stickers
        ]
        items = await pack_items.record(self.store, pack.id, shown)
        await packs.retitle(self.store, pack.id, found.title)
        if pack.state in (PackState.LIVE, PackState.FULL):
            full = len(items) >= most(pack)
            await packs.mark(self.store, pack.id, PackState.FULL if full else PackState.LIVE)
        return await self._tied(pack, items)

    async def _tied(self, pack: Pack, items: list[Item]) -> list[Item]:
        """Find the stickers that the bot has added among those that are not known yet."""
        unseen = await pack_stickers.unseen_in(self.store, pack.id)
        if not unseen:
            return items
        for sticker in unseen:
            free = [one for one in items if one.sticker is None and one.unique_id not in sticker.ids_before]
            if not free and not too_new(pack):
                await pack_stickers.removed(self.store, sticker.id)
            if (item := await self._showing(sticker, free)) is not None:
                await pack_items.tie(self.store, item.id, sticker.id)
                items = await pack_items.of_pack(self.store, pack.id)
        return items

    async def _showing(self, sticker: PackSticker, free: list[Item]) -> Item | None:
        """The sticker of the set that shows what was added; the likeliest one is looked at first."""
        if len(free) == 1 and free[0].emoji[:1] == json.loads(sticker.emoji or "[]")[:1]:
            return free[0]
        try:
            data = await self.data(sticker)
        except FileNotFoundError:
            return None
        for item in free:
            if await self.shows(item, data):
                return item
        return None


def too_new(pack: Pack) -> bool:
    """Whether a pack was made so short a time ago that Telegram may not show it yet."""
    return lately(pack.made_at, SLOW_SECONDS)


def later() -> Later:
    """Look again in some seconds."""
    return Later(time.time() + LOOK_AGAIN_SECONDS)


def most(pack: Pack) -> int:
    """How many stickers Telegram lets into such a pack."""
    return MAX_EMOJI if pack.kind == PackKind.EMOJI else MAX_STICKERS


def says(error: TelegramError, *parts: str) -> bool:
    """Whether the error is one of these. python-telegram-bot changes the case of Telegram's texts."""
    text = str(error).lower()
    return any(part in text for part in parts)
