"""Changes of what is in a pack already: taken out, moved, described, titled, the thumbnail, the whole pack deleted.

A change goes wanted -> calling -> done, each state stored before the next call to Telegram. Each of these calls
makes the same of a pack when it is made twice. So a call that may or may not have been heard (a kill, a timeout) is
made again, unless the set itself shows that it was heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram import InputFile, Sticker
from telegram.constants import StickerFormat
from telegram.error import BadRequest

from bot.pack_record import PackRecord, says
from bot.rate_limit import Held
from bot.sender import SECONDS
from bot.small_sticker import small_sticker
from bot.tables import pack_changes, pack_items, pack_stickers, packs
from bot.tables.pack_changes import Change, ChangeKind, ChangeState
from bot.tables.pack_items import Item
from bot.tables.pack_stickers import StickerState
from bot.tables.packs import Pack, PackKind, PackState

log = logging.getLogger(__name__)

UNLISTED = "sticker-not-in-pack"  # a key of the locales
GONE = "pack-is-gone"
REFUSED = "pack-change-failed"


class PackChanging:
    """Takes one change as far as possible."""

    def __init__(self, record: PackRecord) -> None:
        self._record = record
        self._store = record.store
        self._bot = record.bot

    async def finish(self, id: int) -> None:
        """Take a change to its end. Raises Held, Later, and what waiting helps against."""
        change = await pack_changes.get(self._store, id)
        if change.pack is None or await self._must_wait(change):
            return
        pack = await packs.get(self._store, change.pack)
        if pack.state == PackState.NEW:
            await self._change_plan(pack, change)
            return
        items = None if pack.state == PackState.GONE else await self._record.require(pack)
        if items is None:
            await self._without_pack(change)
            return
        pack = await packs.get(self._store, pack.id)  # what Telegram shows of it
        item = await pack_items.find(self._store, pack.id, unique_id=change.item, sticker=change.sticker)
        if item is None and (change.item or change.sticker):
            await self._without_item(change)
            return
        try:
            await self._make(pack, item, change, len(items))
        except BadRequest as error:
            await self._refused(change, error)

    async def _must_wait(self, change: Change) -> bool:
        """Whether the sticker that is to be changed is on its way into the pack."""
        if change.sticker is None or change.item is not None:
            return False
        sticker = await pack_stickers.by_id(self._store, change.sticker)
        if sticker.state in (StickerState.FAILED, StickerState.REMOVED):
            await pack_changes.failed(self._store, change.id, None if change.undoes else UNLISTED)
            return True
        return sticker.state != StickerState.ADDED

    async def _change_plan(self, pack: Pack, change: Change) -> None:
        """A pack that Telegram does not know yet."""
        if change.kind == ChangeKind.TITLE:
            await packs.retitle(self._store, pack.id, str(change.value))
        if change.kind == ChangeKind.DROP:
            await self._record.gone(pack)
        await pack_changes.done(self._store, change.id)

    async def _without_pack(self, change: Change) -> None:
        """The pack is gone: by our own call that was not heard, or by its owner elsewhere."""
        if change.kind == ChangeKind.DROP:
            await pack_changes.done(self._store, change.id)
        else:
            await pack_changes.failed(self._store, change.id, GONE)

    async def _without_item(self, change: Change) -> None:
        if change.kind == ChangeKind.DELETE and change.state == ChangeState.CALLING:
            await pack_changes.done(self._store, change.id)  # our call was heard
        else:
            await pack_changes.failed(self._store, change.id, UNLISTED)

    async def _make(self, pack: Pack, item: Item | None, change: Change, count: int) -> None:
        """Keep what is there, make the one call, record what is there now."""
        method, call = await self._call(pack, item, change, count)
        self._record.limits.check(change.person, method)
        if change.state == ChangeState.WANTED:
            old, *pictures = await self._before(pack, item, change)
            unique_id = item.unique_id if item else None
            async with self._record.blobs.keep(*pictures) as blobs:
                await pack_changes.calling(
                    self._store, change.id, item=unique_id, old=old, old_blob=blobs[0] if blobs else None
                )
        try:
            await self._record.limited(change.person, method, call)
        except Held:
            if change.state == ChangeState.WANTED:
                await pack_changes.not_begun(self._store, change.id)  # 429: Telegram has done nothing
            raise
        await self._done(pack, item, change)

    async def _before(
        self, pack: Pack, item: Item | None, change: Change
    ) -> tuple[object, *tuple[bytes, ...]]:
        """What the change takes the place of, and the picture of what goes."""
        match change.kind:
            case ChangeKind.DELETE if item:
                data = await self._record.picture_if_any(item)
                old = described(item, data) | {"position": item.position}
                return (old,) if data is None else (old, data)
            case ChangeKind.MOVE if item:
                return (item.position,)
            case ChangeKind.EMOJI if item:
                return (item.emoji,)
            case ChangeKind.KEYWORDS if item:
                return (item.keywords,)
            case ChangeKind.THUMBNAIL:
                try:
                    thumbnail = await self._record.thumbnail(pack)
                except BadRequest as error:
                    log.warning("Telegram does not give the file of a pack's cover: %s", error)
                    return ({"lost": True},)
                return (None,) if thumbnail is None else (None, thumbnail)
            case _:
                return (pack.title,)

    async def _call(
        self, pack: Pack, item: Item | None, change: Change, count: int
    ) -> tuple[str, Callable[[], Awaitable[object]]]:
        """The method of Telegram, and its call."""
        bot, file_id = self._bot, item.file_id if item else ""
        match change.kind:
            case ChangeKind.DELETE:
                return "deleteStickerFromSet", lambda: bot.delete_sticker_from_set(file_id)
            case ChangeKind.MOVE:
                place = min(_int(change.value), count - 1)
                return "setStickerPositionInSet", lambda: bot.set_sticker_position_in_set(file_id, place)
            case ChangeKind.EMOJI:
                return "setStickerEmojiList", lambda: bot.set_sticker_emoji_list(
                    file_id, _texts(change.value)
                )
            case ChangeKind.KEYWORDS:
                return "setStickerKeywords", lambda: bot.set_sticker_keywords(file_id, _texts(change.value))
            case ChangeKind.TITLE:
                return "setStickerSetTitle", lambda: bot.set_sticker_set_title(pack.name, str(change.value))
            case ChangeKind.THUMBNAIL:
                return await self._thumbnail_call(pack, item, change)
            case _:
                return "deleteStickerSet", lambda: bot.delete_sticker_set(pack.name)

    async def _thumbnail_call(
        self, pack: Pack, item: Item | None, change: Change
    ) -> tuple[str, Callable[[], Awaitable[object]]]:
        """A small picture of one sticker; of none, the one that was there before; else the first sticker again."""
        bot = self._bot
        if pack.kind == PackKind.EMOJI:
            emoji_id = await self._custom_emoji_id(item) if item else None
            return "setCustomEmojiStickerSetThumbnail", lambda: bot.set_custom_emoji_sticker_set_thumbnail(
                pack.name, emoji_id
            )
        data = await self._record.blobs.read(change.blob) if change.blob else None
        if item is not None:
            data = await asyncio.to_thread(small_sticker, await self._record.picture(item))
        file = None if data is None else InputFile(data, filename="thumbnail.webp")
        return "setStickerSetThumbnail", lambda: bot.set_sticker_set_thumbnail(
            pack.name, pack.person, StickerFormat.STATIC, file, read_timeout=SECONDS, write_timeout=SECONDS
        )

    async def _custom_emoji_id(self, item: Item) -> str | None:
        found = await self._record.shown_in(await packs.get(self._store, item.pack))
        one: Sticker | None = next((s for s in found.stickers if s.file_unique_id == item.unique_id), None)
        return one.custom_emoji_id if one else None

    async def _done(self, pack: Pack, item: Item | None, change: Change) -> None:
        """Record what Telegram does not show, and the order, for the look after it may fail."""
        store = self._store
        async with store.transaction():
            if change.kind == ChangeKind.EMOJI and item:
                await pack_items.describe(store, item.id, emoji=_texts(change.value))
            if change.kind == ChangeKind.KEYWORDS and item:
                await pack_items.describe(store, item.id, keywords=_texts(change.value))
            if change.kind == ChangeKind.TITLE:
                await packs.retitle(store, pack.id, str(change.value))
            if change.kind == ChangeKind.DROP:
                await self._record.gone(pack)
            if change.kind in (ChangeKind.DELETE, ChangeKind.MOVE) and item:
                others = [one for one in await pack_items.of_pack(store, pack.id) if one.id != item.id]
                if change.kind == ChangeKind.MOVE:
                    others.insert(_int(change.value), item)
                await pack_items.reorder(store, pack.id, others)
            await pack_changes.done(store, change.id)
        if change.kind in (ChangeKind.DELETE, ChangeKind.MOVE):
            await self._record.look(pack)

    async def _refused(self, change: Change, error: BadRequest) -> None:
        if says(error, "not modified", "not_modified"):
            await pack_changes.done(self._store, change.id)
            return
        log.error("a change of a pack (%s) was refused: %s", change.kind, error)
        emoji = change.kind == ChangeKind.EMOJI and says(error, "emoji")
        await pack_changes.failed(self._store, change.id, "pack-emoji-refused" if emoji else REFUSED)


def described(item: Item, data: bytes | None) -> dict[str, object]:
    """What a sticker was, so that it can come back, unless its picture is lost: ``data`` is None then."""
    was: dict[str, object] = {"emoji": item.emoji, "keywords": item.keywords, "sticker": item.sticker}
    return was if data is not None else was | {"lost": True}


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(one) for one in value]
