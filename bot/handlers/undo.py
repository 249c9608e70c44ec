"""/undo, and the word for it: the person's last change, of a style or of a pack, is taken back and named."""

from __future__ import annotations

from bot import pack_asking
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.handlers import corrections
from bot.handlers import packs as pack_handlers
from bot.tables import changes, pack_changes, packs
from bot.tables.pack_changes import Change, ChangeState


async def undo(context: Context) -> None:
    """The newest change that stands, whatever it is of."""
    if await _worked_on_before(context):
        return
    of_style, of_pack = await _newest(context)
    if of_style is not None:
        await corrections.take_back(context, of_style)
        return
    await _of_pack(context, of_pack)


async def of_packs(context: Context) -> None:
    """The newest change of packs, in reply to one of them."""
    if not await _worked_on_before(context):
        await _of_pack(context, await pack_changes.last(context.parts.store, context.person.id))


async def button(context: Context) -> Buttons:
    """The button, by its key, that takes the newest change back; none if there is no such change."""
    of_style, of_pack = await _newest(context)
    if of_style is not None:
        return [[("button-undo", f"undo:{of_style.id}")]]
    return [[("button-undo", f"packundo:{of_pack.id}")]] if of_pack else []


async def _newest(context: Context) -> tuple[changes.Change | None, Change | None]:
    """The newest change that stands: of a style, or of a pack; the other one is None, or both are."""
    store, person = context.parts.store, context.person.id
    of_style, of_pack = await changes.newest(store, person), await pack_changes.last(store, person)
    if of_style is not None and (of_pack is None or of_pack.at < of_style.made_at):
        return of_style, None
    return None, of_pack


async def pack_pressed(context: Context) -> None:
    """The button below the news of a pack's change. It does nothing if a pack was changed later."""
    if await _worked_on_before(context):
        return
    last = await pack_changes.last(context.parts.store, context.person.id)
    asked = int(context.data[0] or 0)  # buttons of earlier versions name no change
    if last is not None and asked and asked != last.id:
        raise UserError("undo-not-last" if asked < last.id else "undo-already")
    await _of_pack(context, last)


async def _worked_on_before(context: Context) -> bool:
    """Whether this message or press has taken something back, and then the bot was killed."""
    store, person, origin = context.parts.store, context.person.id, context.origin
    return await changes.undone_by(store, person, origin) or await pack_changes.undone_by(
        store, person, origin
    )


async def _of_pack(context: Context, last: Change | None) -> None:
    store, person = context.parts.store, context.person.id
    if last is not None and last.pack is not None:
        await pack_handlers.look(context, await packs.get(store, last.pack))
    async with store.transaction():
        undone, problem = await pack_asking.undo(store, person, context.origin, pack_handlers.over(context))
        if problem is not None:
            await context.send_surely(context.words(problem))
        elif undone.state != ChangeState.DONE:
            what = context.words.plain(f"pack-what-{undone.kind}")
            await context.send_surely(context.words("undo-withdrawn", what=what))
    context.parts.packs.wake(person)
    await context.answer("notice-pack-changing" if problem is None else None)
