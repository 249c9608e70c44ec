"""A drawing takes the place of a pack's sticker: which one is asked below the drawing, and the other way round."""

from __future__ import annotations

from functools import partial

from bot import decoding, pack_asking
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.handlers import packs as pack_handlers
from bot.pack_view import PAGE, PackView, View, rows_of
from bot.tables import drawings, pack_items, packs
from bot.tables.pack_items import Item
from bot.tables.packs import Pack, PackKind
from bot.words import clip
from lora.sheets.sample_sheet import CELL, Entry, sample_sheet

NEWEST = 10  # drawings to choose from


async def which_sticker(context: Context) -> None:
    """``replace:<drawing>``, below a drawing: show a pack to choose from. ``:<pack>:<page>`` turns to another."""
    drawing, *rest = map(int, context.data)
    if await drawings.get(context.parts.store, context.person.id, drawing) is None:
        raise UserError("drawing-gone")
    found = [one for one, _ in await packs.all_of(context.parts.store, context.person.id)]
    found = [one for one in found if one.kind == PackKind.REGULAR]
    if not found:
        raise UserError("no-packs")
    newest = max(found, key=lambda pack: (pack.chosen, pack.id))
    pack = next((one for one in found if rest and one.id == rest[0]), newest)
    await pack_handlers.look_or_gone(context, pack)
    await context.answer()
    view = await _choose(context, pack, drawing, rest[1] if rest else 0, found)
    record, sender = context.parts.packs.record, context.parts.sender
    await PackView(record, sender).send(context.person.id, view, over=pack_handlers.over(context))


async def _choose(context: Context, pack: Pack, drawing: int, page: int, others: list[Pack]) -> View:
    """A page of a pack whose numbers say what the drawing takes the place of."""
    items = await pack_items.of_pack(context.parts.store, pack.id)
    shown = items[page * PAGE :][:PAGE]
    view = PackView(context.parts.packs.record, context.parts.sender)
    turn = [("‹", f"replace:{drawing}:{pack.id}:{page - 1}")] if page else []
    turn += [("›", f"replace:{drawing}:{pack.id}:{page + 1}")] if (page + 1) * PAGE < len(items) else []
    choose = rows_of([(str(item.number), f"swap:{drawing}:{item.id}") for item in shown])
    elsewhere: Buttons = [
        [(clip(other.title, 40), f"replace:{drawing}:{other.id}:0")]
        for other in others
        if other.id != pack.id
    ]
    caption = context.words("pack-replace-which", title=pack.title)
    buttons = [row for row in (*choose, turn, *elsewhere) if row]
    return View(picture=await view.sheet(shown), caption=caption, buttons=buttons)


async def ask_which(context: Context, item: Item, _view: int | None) -> None:
    """Show the newest drawings that are in no pack, to choose one for the place of this sticker."""
    store, blobs = context.parts.store, context.parts.blobs
    found = await drawings.not_in_packs(store, context.person.id, NEWEST)
    if not found:
        raise UserError("pack-nothing-drawn")
    pictures = [await decoding.small(partial(blobs.read_now, one.blob), CELL) for one in found]
    entries = [
        Entry(number=number, picture=picture, caption="") for number, picture in enumerate(pictures, start=1)
    ]
    choose = [
        (str(entry.number), f"swap:{one.id}:{item.id}") for entry, one in zip(entries, found, strict=True)
    ]
    await context.answer()
    caption = context.words("pack-replace-by-which", number=item.number)
    picture = await decoding.in_turn(partial(sample_sheet, entries))
    await context.parts.sender.photo(context.person.id, picture, caption, buttons=rows_of(choose))


async def chosen(context: Context) -> None:
    """``swap:<drawing>:<item>``: put the drawing in the sticker's place."""
    store, person = context.parts.store, context.person.id
    drawing, id = map(int, context.data)
    if await drawings.get(store, person, drawing) is None:
        raise UserError("drawing-gone")
    item = await pack_items.get(store, person, id)
    if item is None:
        raise UserError("sticker-not-in-pack", buttons=[[("button-packs", "packs:")]])
    view = pack_handlers.over(context)
    wanted = await pack_asking.put_in_place(store, person, drawing, item, context.origin, view)
    await context.answer("notice-pack-changing" if wanted else "notice-added-before")
    context.parts.packs.wake(person)
