"""Another keyword for a style: in its captions, and for the packs and drawings that it names."""

from __future__ import annotations

from bot.errors import UserError
from bot.store import Clash, Store
from bot.tables import samples, styles
from bot.tables.styles import Style
from lora.data import captions


async def rename(store: Store, style: Style, keyword: str) -> None:
    """Rename a style. Raises UserError if the person has one of that name, or a caption gets too long.

    Its adapter goes on answering to the keyword that it was trained with (``Style.trained_as``).
    """
    async with store.transaction():
        try:
            await styles.rename(store, style, keyword)
        except Clash as error:
            raise UserError("rename-taken", keyword=keyword) from error
        for sample in await samples.of_style(store, style.id):
            if sample.caption is None:
                continue
            said = captions.without_keyword(sample.caption, style.keyword)
            if not captions.length(said, keyword).fits:
                raise UserError("rename-too-long", keyword=keyword, number=sample.number)
            await samples.reword(store, sample.id, captions.with_keyword(said, keyword) if said else keyword)
