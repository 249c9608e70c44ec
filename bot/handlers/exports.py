"""/export and /mydata: a style's files, and all that is held of a person."""

from __future__ import annotations

from bot.context import Context
from bot.errors import UserError
from bot.exports import unfinished
from bot.tables import exports, styles
from bot.tables.exports import ExportKind


async def export(context: Context) -> None:
    """Ask what of the current style is wanted."""
    style = await context.style()
    buttons = []
    if style.adapter is not None:
        buttons += [[("button-export-diffusers", f"export:diffusers:{style.id}")]]
        buttons += [[("button-export-kohya", f"export:kohya:{style.id}")]]
    if style.samples:
        buttons += [[("button-export-samples", f"export:samples:{style.id}")]]
    if not buttons:
        raise UserError("export-nothing", keyword=style.keyword)
    lines = [context.words("export", keyword=style.keyword)]
    if style.adapter is not None and not style.finished:
        lines.append(await unfinished(context.parts.store, context.words, style))
    await context.send("\n".join(lines), buttons=context.words.buttons(buttons))


async def export_pressed(context: Context) -> None:
    """Send the files of this button."""
    kind, id = context.data
    style = await styles.get(context.parts.store, context.person.id, int(id))
    if style is None:
        raise UserError("style-gone")
    await context.answer("notice-exporting")
    await exports.ask(context.parts.store, context.person.id, ExportKind(kind), style.id)
    context.parts.exports.wake(context.person.id)


async def my_data(context: Context) -> None:
    """Send all that is held of the person."""
    await exports.ask(context.parts.store, context.person.id, ExportKind.EVERYTHING)
    context.parts.exports.wake(context.person.id)
