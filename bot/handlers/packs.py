"""/packs, and the buttons that put stickers into packs."""

from __future__ import annotations

from bot.context import Context
from bot.errors import Buttons, UserError
from bot.tables import drawings, jobs, packs


async def add(context: Context) -> None:
    """Put one sticker into the pack."""
    found = await drawings.get(context.parts.store, context.person.id, int(context.data[0]))
    if found is None:
        raise UserError("drawing-gone")
    wanted = await packs.want(context.parts.store, context.person.id, found[0].id)
    await context.answer("notice-adding" if wanted else "notice-added-before")
    context.parts.packs.wake(context.person.id)


async def add_all(context: Context) -> None:
    """Put all stickers of a draw into the pack."""
    store, job = context.parts.store, await jobs.get(context.parts.store, int(context.data[0]))
    if job is None or job.person != context.person.id:
        raise UserError("drawing-gone")
    wanted = [
        await packs.want(store, job.person, drawing.id) for drawing in await drawings.of_job(store, job.id)
    ]
    await context.answer("notice-adding" if any(wanted) else "notice-added-before")
    context.parts.packs.wake(context.person.id)


async def show(context: Context) -> None:
    """Send all packs with links."""
    found = await packs.all_of(context.parts.store, context.person.id)
    if not found:
        raise UserError("no-packs")
    buttons: Buttons = [[(pack.title, f"https://t.me/addstickers/{pack.name}")] for pack, _ in found]
    lines = [context.words("pack-line", title=pack.title, n=n) for pack, n in found]
    await context.send("\n".join([context.words("packs"), *lines]), buttons=buttons)
