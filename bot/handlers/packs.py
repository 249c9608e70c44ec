"""Drawings into packs, /packs, and what can be done with a whole pack."""

from __future__ import annotations

import asyncio
import time

from bot import pack_asking, pack_plans
from bot.asking import ask, ask_surely, sure
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.pack_record import Later, PackRecord
from bot.pack_view import PackView, counted, list_lines
from bot.pack_words import MAX_NAME
from bot.rate_limit import Held
from bot.slots import without_slot
from bot.tables import drawings, jobs, pack_changes, pack_items, packs
from bot.tables.pack_changes import Ask, ChangeKind
from bot.tables.packs import Pack, PackState
from bot.words import clip

WAITED_OUT_SECONDS = 5.0  # a wait of Telegram's that is shorter is no news


async def add(context: Context) -> None:
    """Put one drawing into the current pack: the button ``add:<drawing>``."""
    found = await drawings.get(context.parts.store, context.person.id, int(context.data[0]))
    if found is None:
        raise UserError("drawing-gone")
    store = context.parts.store
    wanted = await pack_asking.add(store, context.person.id, found[0].id, context.origin)
    await context.answer("notice-adding" if wanted else "notice-added-before")
    context.parts.packs.wake(context.person.id)


async def add_all(context: Context) -> None:
    """Put all drawings of a draw into the current pack: the button ``addall:<job>``."""
    store, job = context.parts.store, await jobs.get(context.parts.store, int(context.data[0]))
    if job is None or job.person != context.person.id:
        raise UserError("drawing-gone")
    wanted = [
        await pack_asking.add(store, job.person, drawing.id, f"{context.origin} {drawing.position}")
        for drawing in await drawings.of_job(store, job.id)
    ]
    await context.answer("notice-adding" if any(wanted) else "notice-added-before")
    context.parts.packs.wake(context.person.id)


async def show(context: Context) -> None:
    """All packs, each with a button: /packs, and a button below the view of one."""
    text, buttons = await _list(context)
    await context.send(text, buttons=buttons)


async def _list(context: Context) -> tuple[str, Buttons]:
    for pack in await packs.planned_too(context.parts.store, context.person.id):
        await look(context, pack)
    found = await counted(context.parts.packs.record, context.person.id)
    if not found:
        raise UserError("no-packs")
    words = context.words
    buttons: Buttons = [[(clip(pack.title, 40), f"pack:{pack.id}")] for pack, _ in found]
    lines = [words("packs"), *list_lines(words, found), words("packs-hint")]
    if any(pack.chosen for pack, _ in found):
        lines.append(words("packs-hint-chosen"))
    return "\n".join(lines), [*buttons, *words.buttons([[("button-pack-new", "newpack:")]])]


async def pressed(context: Context) -> None:
    """``pack:<id>`` shows a pack, ``pack:<id>:<page>`` another page, ``pack:<id>:<word>`` does something with it."""
    pack = await mine(context, int(context.data[0]))
    what = context.data[1] if len(context.data) > 1 else "0"
    if what.isdecimal():
        await show_pack(context, pack, int(what))
        return
    await _DO[what](context, pack)


async def show_pack(context: Context, pack: Pack, page: int = 0) -> None:
    """One page of a pack as Telegram has it now, over the photo whose button was pressed."""
    await look_or_gone(context, pack)
    await context.answer()
    pack = await packs.get(context.parts.store, pack.id)
    view = PackView(context.parts.packs.record, context.parts.sender)
    await view.send(context.person.id, await view.page(context.words, pack, page), over=over(context))


async def mine(context: Context, id: int) -> Pack:
    """The person's pack with this id. Raises UserError if it is gone."""
    found = await packs.of_person(context.parts.store, context.person.id, id)
    if found is None:
        raise UserError("pack-is-gone", buttons=[[("button-packs", "packs:")]])
    return found


async def look(context: Context, pack: Pack) -> bool:
    """Make the record of a pack equal to Telegram's; False if the pack is gone. It stays as it is during a wait."""
    if pack.state == PackState.NEW:
        return True
    try:
        return await _seen(context.parts.packs.record, pack)
    except (Held, Later):
        return True
    finally:
        context.parts.packs.wake(
            context.person.id
        )  # stickers that are gone: the buttons below drawings change


async def _seen(record: PackRecord, pack: Pack) -> bool:
    """Whether Telegram shows the pack; a short wait is waited out. Raises Held, Later."""
    try:
        return await record.require(pack) is not None
    except Held as held:
        if (pause := held.until - time.time()) > WAITED_OUT_SECONDS:
            raise
    async with without_slot():
        await asyncio.sleep(pause)
    return await record.require(pack) is not None


async def look_or_gone(context: Context, pack: Pack) -> None:
    """As ``look``. Raises UserError if the pack is gone."""
    if not await look(context, pack):
        raise UserError("pack-is-gone", buttons=[[("button-packs", "packs:")]])


def over(context: Context) -> int | None:
    """The photo that shows a pack, whose button was pressed; None if it was a text's."""
    return context.message.message_id if context.press and context.message.photo else None


async def make(context: Context, title: str) -> None:
    """A new pack with a title of the person's own. Telegram makes it with its first sticker."""
    title = " ".join(title.split())
    if not 1 <= len(title) <= MAX_NAME:
        raise UserError("pack-title-length", most=MAX_NAME)
    record = context.parts.packs.record
    done = await packs.with_title(
        record.store, context.person.id, title
    )  # by this very message, before a kill
    if done is None:
        await pack_plans.own_pack(record.store, record.bot.username, context.person.id, title)
    await context.say("pack-planned", title=title)


async def ask_new(context: Context) -> None:
    """Ask for the title of a new pack."""
    await ask(context, "new", 0, context.words("pack-ask-new"), view=over(context))


async def _use(context: Context, pack: Pack) -> None:
    await packs.choose(context.parts.store, context.person.id, pack.id)
    await context.answer("notice-pack-chosen")
    await show_pack(context, pack)


async def _auto(context: Context, pack: Pack) -> None:
    await packs.choose(context.parts.store, context.person.id, None)
    await context.answer("notice-pack-auto")
    await show_pack(context, pack)


async def _title(context: Context, pack: Pack) -> None:
    text = context.words("pack-ask-title", title=pack.title)
    await ask(context, "title", pack.id, text, view=over(context))


async def _copy(context: Context, pack: Pack) -> None:
    """Ask before custom-emoji copies are made: everybody can see them."""
    await look_or_gone(context, pack)
    n = len(await pack_items.of_pack(context.parts.store, pack.id))
    buttons = context.words.buttons([[("button-pack-copy-sure", f"pack:{pack.id}:copied")]])
    await ask_surely(context, context.words("pack-copy-sure", title=pack.title, n=n), buttons)


async def _copied(context: Context, pack: Pack) -> None:
    """Custom-emoji copies of all stickers; those that were copied before are left out."""
    await sure(context)
    await look_or_gone(context, pack)
    record = context.parts.packs.record
    items = await pack_items.of_pack(record.store, pack.id)
    target = await packs.emoji_of(record.store, pack.id)
    if target is None and items:
        target = await pack_plans.emoji_pack(record.store, record.bot.username, pack)
    n = await pack_asking.copy_as_emoji(record.store, items, target.id) if target else 0
    await context.replace(context.words("pack-copying" if n else "pack-copied-before", n=n))
    context.parts.packs.wake(context.person.id)


async def _drop(context: Context, pack: Pack) -> None:
    """Ask once before a whole pack is deleted."""
    n = await packs.how_many_in(context.parts.store, pack.id)
    buttons = context.words.buttons([[("button-pack-drop-sure", f"pack:{pack.id}:dropped")]])
    await ask_surely(context, context.words("pack-drop-sure", title=pack.title, n=n), buttons)


async def _dropped(context: Context, pack: Pack) -> None:
    await sure(context)
    await context.answer("notice-pack-changing")
    await pack_asking.drop(context.parts.store, context.person.id, pack.id, context.origin)
    context.parts.packs.wake(context.person.id)


async def retitle(context: Context, pack: Pack, title: str, view: int | None) -> None:
    """Another title."""
    title = " ".join(title.split())
    if not 1 <= len(title) <= MAX_NAME:
        raise UserError("pack-title-length", most=MAX_NAME)
    if title == pack.title:
        raise UserError("pack-same-title", title=title)
    asked = Ask(
        person=context.person.id,
        origin=context.origin,
        kind=ChangeKind.TITLE,
        pack=pack.id,
        value=title,
        view=view,
    )
    await pack_changes.ask(context.parts.store, asked)
    context.parts.packs.wake(context.person.id)


_DO = {
    "use": _use,
    "auto": _auto,
    "title": _title,
    "copy": _copy,
    "copied": _copied,
    "drop": _drop,
    "dropped": _dropped,
}
