"""/undo, and the word for it: the last change of samples or packs is taken back, whichever is newer."""

from __future__ import annotations

from bot import pack_asking
from bot.context import Context
from bot.handlers import corrections
from bot.handlers import packs as pack_handlers
from bot.tables import changes, pack_changes, packs, styles
from bot.tables.pack_changes import ChangeState


async def undo(context: Context) -> None:
    """The newest change of the current style's samples, or of a pack."""
    store, person, origin = context.parts.store, context.person, context.origin
    style = await styles.get(store, person.id, person.style)
    if await pack_changes.undone_by(store, person.id, origin):
        return  # this was worked on before, and then the bot was killed
    last = await pack_changes.last(store, person.id)
    of_samples = await changes.last_at(store, style.id, origin) if style else None
    if style is not None and (last is None or (of_samples is not None and last.at < of_samples)):
        await corrections.undo(context)
        return
    await _of_pack(context)


async def pack_pressed(context: Context) -> None:
    """The button below the news of a pack's change."""
    if not await pack_changes.undone_by(context.parts.store, context.person.id, context.origin):
        await _of_pack(context)


async def _of_pack(context: Context) -> None:
    store, person = context.parts.store, context.person.id
    last = await pack_changes.last(store, person)
    if last is not None and last.pack is not None:
        await pack_handlers.look(context, await packs.get(store, last.pack))
    undone = await pack_asking.undo(store, person, context.origin, pack_handlers.over(context))
    context.parts.packs.wake(person)
    if undone.state != ChangeState.DONE:
        await context.say("undo-withdrawn")
    await context.answer("notice-pack-changing")
