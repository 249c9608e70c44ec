"""Stickers into Telegram's sticker sets, each exactly once: new ones, and ones that take another's place.

A sticker goes wanted -> uploaded -> adding -> added, each state stored before the next call to Telegram. A
call that may or may not have been heard (a kill, a timeout) leaves the state ``adding``. Then the set itself
is looked at: a sticker that was not in it before and shows the same picture is ours. Where that cannot be
seen, the same call is made once more: adding the very same file again leaves a set unchanged, and a set that
exists cannot be made again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from telegram import InputFile, InputSticker
from telegram.constants import StickerFormat
from telegram.error import BadRequest

from bot import pack_plans
from bot.pack_changing import described
from bot.pack_news import MOST_REFUSALS
from bot.pack_record import PackRecord, later, most, says, too_new
from bot.pack_words import DEFAULT_EMOJI, emoji_for, keywords_for
from bot.rate_limit import Held
from bot.sender import SECONDS
from bot.tables import drawings, pack_changes, pack_items, pack_stickers, packs, people
from bot.tables.pack_items import Item
from bot.tables.pack_stickers import PackSticker, StickerState
from bot.tables.packs import Pack, PackKind, PackState
from lora.data import captions

log = logging.getLogger(__name__)


class NotStarted(Exception):
    """The person has never written to the bot, so Telegram makes no pack for them."""


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What a sticker is found by."""

    emoji: list[str]
    keywords: list[str]


class PackAdding:
    """Takes one sticker as far as possible."""

    def __init__(self, record: PackRecord) -> None:
        self._record = record
        self._store = record.store
        self._bot = record.bot

    async def finish(self, id: int) -> None:
        """Take a sticker to its end. Raises Held, Later, NotStarted, and what waiting helps against."""
        while True:
            sticker = await pack_stickers.by_id(self._store, id)
            try:
                match sticker.state:
                    case StickerState.WANTED:
                        await self._upload(sticker)
                    case StickerState.UPLOADED:
                        await self._put(sticker)
                    case StickerState.ADDING:
                        await self._look(sticker)
                    case _:
                        return
            except BadRequest as error:
                if says(error, "user not found", "peer_id_invalid", "user_is_bot"):
                    raise NotStarted from error
                first = sticker.state != StickerState.ADDING
                await self._refused(await pack_stickers.by_id(self._store, id), error, first=first)

    async def _upload(self, sticker: PackSticker) -> None:
        data = await self._record.data(sticker)

        async def upload() -> str:
            file = InputFile(data, filename="sticker.webp")
            sent = await self._bot.upload_sticker_file(
                sticker.person, file, StickerFormat.STATIC, read_timeout=SECONDS, write_timeout=SECONDS
            )
            return sent.file_id

        file_id = await self._record.limited(sticker.person, "uploadStickerFile", upload)
        await pack_stickers.uploaded(self._store, sticker.id, file_id)

    async def _put(self, sticker: PackSticker) -> None:
        """Add to its pack, or make that with this sticker as its first."""
        pack = await self._pack_for(sticker)
        if pack is None:
            await pack_stickers.failed(self._store, sticker.id)
            return
        self._record.limits.check(sticker.person, _method(pack, sticker))
        if pack.state == PackState.NEW and await pack_stickers.uncertain(self._store, pack.id):
            raise later()  # another sticker's call may have made it
        inside = await self._record.look(pack)
        if pack.state == PackState.NEW and inside is not None:
            await pack_plans.rename(self._store, self._bot.username, pack)  # of an earlier database: leave it
            return
        if pack.state != PackState.NEW and inside is None:
            await self._record.invisible(pack)
            return
        if inside is not None and len(inside) >= most(pack) and not sticker.replaces:
            await self._full(pack, sticker)
            return
        if sticker.replaces and not await self._keep_old(sticker, inside or []):
            await pack_stickers.failed(self._store, sticker.id)
            return
        before = [one.unique_id for one in inside or ()]
        await pack_stickers.adding(self._store, sticker.id, pack.id, before)
        await self._write(pack, sticker)

    async def _pack_for(self, sticker: PackSticker) -> Pack | None:
        """The pack that a sticker goes into; None if it must be one that is gone."""
        if sticker.target is not None:
            pack = await packs.get(self._store, sticker.target)
            if pack.state != PackState.GONE:
                return pack
            return None if sticker.replaces or pack.kind == PackKind.EMOJI else await self._current(sticker)
        return await self._current(sticker)

    async def _current(self, sticker: PackSticker) -> Pack:
        keyword = ""
        if sticker.drawing is not None:
            found = await drawings.get(self._store, sticker.person, sticker.drawing)
            keyword = found[1].keyword if found else ""
        pack = await packs.current(self._store, sticker.person, keyword)
        return pack or await pack_plans.next_pack(self._store, self._bot.username, sticker.person, keyword)

    async def _full(self, pack: Pack, sticker: PackSticker) -> None:
        """The next round takes another pack, unless the sticker must go into this one."""
        await packs.mark(self._store, pack.id, PackState.FULL)
        if sticker.target is not None:
            await pack_stickers.failed(self._store, sticker.id)

    async def _keep_old(self, sticker: PackSticker, inside: list[Item]) -> bool:
        """Keep what is about to be replaced, so that it can come back. False if it is not there any more."""
        item = next((one for one in inside if one.unique_id == sticker.replaces), None)
        if item is None:
            return False
        if sticker.change is not None:
            data = await self._record.picture_if_any(item)
            async with self._record.blobs.keep(*() if data is None else (data,)) as names:
                old = described(item, data)
                await pack_changes.replacing(
                    self._store, sticker.change, old=old, old_blob=names[0] if names else None
                )
        return True

    async def _words(self, sticker: PackSticker) -> _Words:
        """The emoji and search words that it has already, else those of its drawing's prompt."""
        if sticker.emoji is not None:
            return _Words(emoji=json.loads(sticker.emoji), keywords=json.loads(sticker.keywords or "[]"))
        assert sticker.drawing is not None
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        if found is None:
            raise FileNotFoundError(f"drawing {sticker.drawing}")
        job, language = found[1], (await people.get(self._store, sticker.person)).writes_in
        prompt = captions.without_keyword(job.prompt_original or job.prompt, job.keyword)
        words = keywords_for(prompt, job.keyword, language)
        return _Words(emoji=emoji_for(prompt, language), keywords=words)

    async def _write(self, pack: Pack, sticker: PackSticker) -> None:
        """The one call that changes a set, and its row. Emoji that Telegram does not know become the default."""
        assert sticker.file_id is not None
        words = await self._words(sticker)
        one = InputSticker(sticker.file_id, words.emoji, StickerFormat.STATIC, keywords=words.keywords)
        method = _method(pack, sticker)
        try:
            used = await self._record.limited(sticker.person, method, lambda: self._call(pack, sticker, one))
        except Held:
            await pack_stickers.not_added(self._store, sticker.id)  # 429: Telegram has done nothing
            raise
        await pack_stickers.describe(self._store, sticker.id, used, words.keywords)
        await pack_stickers.added(self._store, sticker.id, pack.id)
        if sticker.replaces:
            await self._record.look(pack)

    async def _call(self, pack: Pack, sticker: PackSticker, one: InputSticker) -> list[str]:
        """Gives the emoji that it went in with."""
        try:
            await self._call_once(pack, sticker, one)
        except BadRequest as error:
            if list(one.emoji_list) == DEFAULT_EMOJI or not says(error, "emoji"):
                raise
            plain = InputSticker(one.sticker, DEFAULT_EMOJI, StickerFormat.STATIC, keywords=one.keywords)
            return await self._call(pack, sticker, plain)
        return list(one.emoji_list)

    async def _call_once(self, pack: Pack, sticker: PackSticker, one: InputSticker) -> None:
        owner, name, seconds = pack.person, pack.name, SECONDS
        if pack.state == PackState.NEW:
            await self._bot.create_new_sticker_set(
                *(owner, name, pack.title, [one]),
                sticker_type=pack.kind,
                read_timeout=seconds,
                write_timeout=seconds,
            )
        elif sticker.replaces:
            old = await pack_items.find(self._store, pack.id, unique_id=sticker.replaces, sticker=None)
            assert old is not None
            await self._bot.replace_sticker_in_set(
                owner, name, old.file_id, one, read_timeout=seconds, write_timeout=seconds
            )
        else:
            await self._bot.add_sticker_to_set(owner, name, one, read_timeout=seconds, write_timeout=seconds)

    async def _look(self, sticker: PackSticker) -> None:
        """The last call may have been heard: look into the set before anything else."""
        assert sticker.pack is not None
        pack = await packs.get(self._store, sticker.pack)
        data = await self._record.data(sticker)
        inside = await self._record.look(pack, patient=pack.state == PackState.NEW)
        if inside is None and pack.state == PackState.NEW:
            await self._write(pack, sticker)  # the same name again: it cannot make two sets
        elif inside is None:
            await self._record.invisible(pack)
            await pack_stickers.not_added(self._store, sticker.id)
        elif (item := await self._shown(sticker, inside, data)) is not None:
            words = await self._words(sticker)
            seen = words.emoji if words.emoji[0] == item.emoji[0] else item.emoji
            await pack_stickers.describe(self._store, sticker.id, seen, words.keywords)
            await pack_stickers.added(self._store, sticker.id, pack.id)
        else:
            if pack.state == PackState.NEW:  # there was none before our call: it has made this one
                await packs.mark(self._store, pack.id, PackState.LIVE)
            await pack_stickers.not_added(self._store, sticker.id)

    async def _shown(self, sticker: PackSticker, inside: list[Item], data: bytes) -> Item | None:
        """The sticker that was not in the set before and shows the picture."""
        for one in inside:
            if one.unique_id not in sticker.ids_before and await self._record.shows(one, data):
                return one
        return None

    async def _refused(self, sticker: PackSticker, error: BadRequest, *, first: bool) -> None:
        """Handle a refusal: of this pack, of its name, of the uploaded file, or of the sticker for good.

        ``first``: no call before this one may have been heard.
        """
        pack = await packs.get(self._store, sticker.pack) if sticker.pack else None
        if pack and says(error, "stickers_too_much", "too many stickers"):
            await pack_stickers.not_added(self._store, sticker.id)
            await self._full(pack, sticker)
        elif pack and not first and says(error, "occupied") and too_new(pack):
            # It was free before: an unheard call of ours has made it. The state stays: look again.
            if await self._record.look(pack, patient=True) is None:
                raise later()
        elif pack and pack.state != PackState.NEW and says(error, "stickerset_invalid", "_not_found"):
            await pack_stickers.not_added(self._store, sticker.id)
            if await self._record.look(pack) is None:
                await self._record.invisible(pack)
            await self._count_refusal(sticker)
        elif pack and says(error, "occupied", "set name", "short_name", "stickerset_invalid", "_not_found"):
            await pack_stickers.not_added(self._store, sticker.id)
            await pack_plans.rename(self._store, self._bot.username, pack)
            await self._count_refusal(sticker)
        elif pack and says(error, "wrong file identifier", "wrong remote file", "file_reference"):
            await pack_stickers.upload_again(self._store, sticker.id)
            await self._count_refusal(sticker)
        else:
            log.error("a sticker was refused: %s", error)
            await pack_stickers.failed(self._store, sticker.id)

    async def _count_refusal(self, sticker: PackSticker) -> None:
        if await pack_stickers.refused(self._store, sticker.id) >= MOST_REFUSALS:
            log.error("a sticker was given up after %d refused calls", MOST_REFUSALS)
            await pack_stickers.failed(self._store, sticker.id)


def _method(pack: Pack, sticker: PackSticker) -> str:
    """The method that puts a sticker into this pack."""
    if pack.state == PackState.NEW:
        return "createNewStickerSet"
    return "replaceStickerInSet" if sticker.replaces else "addStickerToSet"
