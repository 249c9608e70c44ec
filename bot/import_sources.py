"""Where an import's pictures come from: a sticker pack on Telegram."""

from __future__ import annotations

from collections.abc import Sequence

from telegram.error import BadRequest

from bot.errors import UserError
from bot.sender import Sender
from bot.tables.imports import Import, Item


class PackSource:
    """A sticker set. Its stickers are fetched one by one."""

    def __init__(self, sender: Sender, imported: Import) -> None:
        self._sender = sender
        self._import = imported

    async def contents(self) -> tuple[str, Sequence[Item]]:
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
                moves="animated" if sticker.is_animated else "video" if sticker.is_video else "",
                emoji=sticker.emoji or "",
            )
            for position, sticker in enumerate(found.stickers)
        ]
        if not items:
            raise UserError("pack-empty", title=found.title)
        return found.title, items

    async def picture(self, item: Item) -> bytes:
        """A sticker's file."""
        return await self._sender.download(self._import.person, item.file_id)
