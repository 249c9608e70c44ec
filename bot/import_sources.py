"""Where an import's pictures come from: a sticker pack on Telegram, or a zip that a person has sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import emoji
from telegram import Sticker
from telegram.error import BadRequest

from bot.english import in_english
from bot.errors import UserError
from bot.sender import Sender
from bot.tables.imports import Import, Item
from lora.checks.captions import other_keyword
from lora.data.captions import without_keyword
from lora.data.zip_folder import ZipError, ZipFolder

BEGINNING = 8  # words of a caption, among which another style's keyword is the first


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is in an import. ``faults`` counts lines of a zip's tables that cannot be used, ``missing`` has the names
    in them that are of no picture in the zip, ``unread`` counts captions in text files that cannot be read, and
    ``unread_tables`` has the names of tables of which no line can be read.
    """

    title: str = field(repr=False)
    items: Sequence[Item] = field(repr=False)
    faults: int = 0
    missing: Sequence[str] = field(default=(), repr=False)
    unread: int = 0
    unread_tables: Sequence[str] = field(default=(), repr=False)

    def without_other_keyword(self, keyword: str, language: str) -> tuple[Sequence[Item], str, int]:
        """The pictures, the keyword of another style that most captions begin with, and how many; it is taken out.

        ``language`` is that of the person: in English, a word of another language is no keyword.
        """
        captioned = [" ".join(item.caption.split()[:BEGINNING]) for item in self.items if item.caption]
        english = [in_english(beginning, keyword, language).text for beginning in captioned]
        other, numbers = other_keyword(english, keyword)
        if 2 * len(numbers) <= len(captioned):
            return self.items, "", 0
        kept = [
            replace(item, caption=without_keyword(item.caption, other)) if item.caption else item
            for item in self.items
        ]
        return kept, other, len(numbers)


def moves(sticker: Sticker) -> str:
    """How a sticker moves, as ``bot.moving.still`` takes it; "" if it does not."""
    return "animated" if sticker.is_animated else "video" if sticker.is_video else ""


class PackSource:
    """A sticker set. Its stickers are fetched one by one."""

    def __init__(self, sender: Sender, imported: Import) -> None:
        self._sender = sender
        self._import = imported

    async def contents(self) -> Contents:
        """The set's title and its stickers. Raises UserError if there is no such set."""
        try:
            found = await self._sender.sticker_set(self._import.person, self._import.source)
        except BadRequest as error:
            raise UserError("pack-unknown", name=self._import.source) from error
        items = [
            Item(
                position=position,
                file_id=sticker.file_id,
                file_unique_id=sticker.file_unique_id,
                moves=moves(sticker),
                emoji=sticker.emoji or "",
            )
            for position, sticker in enumerate(found.stickers)
        ]
        if not items:
            raise UserError("pack-empty", title=found.title)
        return Contents(title=found.title, items=items)

    async def picture(self, item: Item) -> bytes:
        """A sticker's file. Raises UserError."""
        return await self._sender.sent_file(self._import.person, item.file_id)


class ZipSource:
    """A zip that the person has sent. It is fetched once for each run of the import, and stays in memory."""

    def __init__(self, sender: Sender, imported: Import) -> None:
        self._sender = sender
        self._import = imported
        self._zip: ZipFolder | None = None

    async def contents(self) -> Contents:
        """The zip's pictures. Raises UserError for a zip that cannot be used or is not safe."""
        folder = await self._opened()
        try:
            found = await asyncio.to_thread(folder.pictures)
        except ZipError as error:
            raise UserError(f"zip-{error.code}") from error
        items = [
            Item(
                position=position,
                file_id=str(picture.entry),
                file_unique_id=f"zip {self._import.id}: {picture.entry}",
                emoji="".join(one["emoji"] for one in emoji.emoji_list(picture.name)),
                caption=picture.caption,
            )
            for position, picture in enumerate(found)
        ]
        return Contents(
            title=self._import.title,
            items=items,
            faults=folder.faults,
            missing=folder.missing,
            unread=folder.unread,
            unread_tables=folder.unread_tables,
        )

    async def picture(self, item: Item) -> bytes:
        """The bytes of one entry. Raises UserError."""
        folder = await self._opened()
        try:
            return await asyncio.to_thread(folder.read, int(item.file_id))
        except ZipError as error:
            raise UserError("picture-damaged") from error

    async def _opened(self) -> ZipFolder:
        if self._zip is None:
            data = await self._sender.sent_file(self._import.person, self._import.source)
            try:
                self._zip = await asyncio.to_thread(ZipFolder, data)
            except ZipError as error:
                raise UserError(f"zip-{error.code}") from error
        return self._zip
