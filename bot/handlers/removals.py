"""What "delete 3" is about, as a plain text or a command: a picture of the style, or a sticker of the pack."""

from __future__ import annotations

from bot.context import Context
from bot.errors import UserError
from bot.handlers import corrections, pack_text
from bot.handlers import styles as style_handlers
from bot.sample_lines import are_removals, removals
from bot.tables import packs, styles


async def delete(context: Context) -> None:
    """/delete asks before the style is deleted; /delete 3 is like "delete 3", also in reply to a shown pack."""
    if not are_removals(context.message.text or ""):
        await style_handlers.delete(context)
    elif pack_text.TO_PACK.filter(context.message):
        await pack_text.order(context)
    else:
        await remove(context)


async def remove(context: Context) -> None:
    """Remove what the words name. Raises UserError where both are possible, which says how to name each."""
    style = await styles.get(context.parts.store, context.person.id, context.person.style)
    has_packs = bool(await packs.all_of(context.parts.store, context.person.id))
    if style is not None and style.samples and has_packs:
        found = removals(context.message.text or "") or ()
        numbers = ", ".join(map(str, found))
        raise UserError("remove-what", numbers=numbers, keyword=style.keyword)
    if has_packs:
        await pack_text.plain(context)
    else:
        await corrections.correct(context)
