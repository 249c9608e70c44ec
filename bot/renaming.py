"""Another keyword for a style: in its captions, and for the packs and drawings that it names."""

from __future__ import annotations

from bot.errors import UserError
from bot.store import Clash, Store
from bot.tables import changes, samples, styles
from bot.tables.styles import Style
from lora.data import captions


async def rename(store: Store, style: Style, keyword: str, origin: str) -> None:
    """Rename a style, once for each origin. Raises UserError if the name is taken, or a caption gets too long.

    Its adapter goes on answering to the keyword that it was trained with (``Style.trained_as``).
    """
    async with store.transaction():
        if await changes.note(store, style.id, origin, (), renamed=style.keyword) is not None:
            await _rename(store, style, keyword)


async def rename_back(store: Store, style: Style, change: int, keyword: str, origin: str) -> None:
    """Take the rename ``change`` back. Raises UserError as ``rename``."""
    async with store.transaction():
        await _rename(store, style, keyword)
        await changes.taken_back(store, change, origin)


async def _rename(store: Store, style: Style, keyword: str) -> None:
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
        await samples.reword(store, sample.id, captions.renamed(sample.caption, style.keyword, keyword))
    await changes.rename(store, style.id, style.keyword, keyword)
