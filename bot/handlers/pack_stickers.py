"""One sticker of a pack: its buttons, and what is changed about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot import pack_asking
from bot.asking import ask
from bot.context import Context
from bot.errors import UserError
from bot.handlers import packs as pack_handlers
from bot.handlers.pack_replace import ask_which
from bot.pack_view import sticker_buttons, sticker_text
from bot.pack_words import emoji_in, keywords_in
from bot.tables import pack_items, packs
from bot.tables.pack_changes import ChangeKind
from bot.tables.pack_items import Item


async def pressed(context: Context) -> None:
    """``item:<id>`` shows a sticker, ``item:<id>:<word>`` changes something about it."""
    item = await pack_items.get(context.parts.store, context.person.id, int(context.data[0]))
    if item is None:
        raise UserError("sticker-not-in-pack", buttons=[[("button-packs", "packs:")]])
    if len(context.data) == 1:
        await _show(context, item)
        return
    view = pack_handlers.over(context)
    if context.data[1] == "move":
        await move(context, item, int(context.data[2]) + 1, view)
    else:
        await _DO[context.data[1]](context, item, view)


async def _show(context: Context, item: Item) -> None:
    """What is known of it and can be done with it, below the photo that shows it."""
    await context.answer()
    pack = await packs.get(context.parts.store, item.pack)
    count = len(await pack_items.of_pack(context.parts.store, item.pack))
    text, buttons = (
        sticker_text(context.words, pack, item, count),
        sticker_buttons(context.words, item, count),
    )
    sender, person = context.parts.sender, context.person.id
    if not await sender.edit_caption(person, context.message.message_id, text, buttons=buttons):
        await pack_handlers.show_pack(context, pack)


async def change(
    context: Context, item: Item, kind: ChangeKind, value: object = None, view: int | None = None
) -> None:
    """Have it done, and say that it is on its way."""
    await context.answer("notice-pack-changing")
    await pack_asking.change_item(context.parts.store, item, kind, context.origin, value=value, view=view)
    context.parts.packs.wake(context.person.id)


async def delete(context: Context, item: Item, view: int | None = None) -> None:
    """Take it out of the pack; /undo brings it back."""
    await change(context, item, ChangeKind.DELETE, view=view)


async def delete_all(context: Context, items: list[Item]) -> None:
    """Take several out, the last one first: so each goes by the number that was seen. /undo brings one back."""
    async with context.parts.store.transaction():
        for item in reversed(items):
            origin = context.origin if len(items) == 1 else f"{context.origin} {item.number}"
            await pack_asking.change_item(context.parts.store, item, ChangeKind.DELETE, origin)
    context.parts.packs.wake(context.person.id)


async def cover(context: Context, item: Item, view: int | None = None) -> None:
    """Make it the picture of the pack."""
    await change(context, item, ChangeKind.THUMBNAIL, view=view)


async def move(context: Context, item: Item, number: int, view: int | None = None) -> None:
    """Give it another number, counted from 1; one that is too high means the last."""
    count = len(await pack_items.of_pack(context.parts.store, item.pack))
    place = min(max(number, 1), count) - 1
    if place == item.position:
        raise UserError("sticker-there-already", number=item.number)
    await change(context, item, ChangeKind.MOVE, place, view)


async def emoji(context: Context, item: Item, text: str, view: int | None = None) -> None:
    """Other emoji."""
    if not (found := emoji_in(text)):
        raise UserError("sticker-no-emoji")
    if found == item.emoji:
        raise UserError("sticker-same-emoji", number=item.number)
    await change(context, item, ChangeKind.EMOJI, found, view)


async def keywords(context: Context, item: Item, text: str, view: int | None = None) -> None:
    """Other search words."""
    if not (found := keywords_in(text)):
        raise UserError("sticker-no-words")
    if found == item.keywords:
        raise UserError("sticker-same-words", number=item.number)
    await change(context, item, ChangeKind.KEYWORDS, found, view)


async def _ask_emoji(context: Context, item: Item, view: int | None) -> None:
    await ask(context, "emoji", item.id, context.words("pack-ask-emoji", number=item.number), view=view)


async def _ask_words(context: Context, item: Item, view: int | None) -> None:
    await ask(context, "keywords", item.id, context.words("pack-ask-words", number=item.number), view=view)


_DO: dict[str, Callable[[Context, Item, int | None], Awaitable[None]]] = {
    "delete": delete,
    "cover": cover,
    "emoji": _ask_emoji,
    "words": _ask_words,
    "replace": ask_which,
}
