"""/samples: the pages of a style's samples, and removing one of them."""

from __future__ import annotations

import re
from functools import partial

from bot import decoding
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.sample_words import none_of, undo_button
from bot.tables import changes, samples
from bot.tables.samples import Sample
from bot.words import clip
from lora.sheets.sample_sheet import CELL, Entry, sample_sheet

PAGE = 20  # pictures on one contact sheet


async def show(context: Context) -> None:
    """/samples: a contact sheet. /samples remove 3: one picture less."""
    if found := re.fullmatch(r"(?:remove|delete|rm)\s+#?(\d{1,6})", context.argument.strip().lower()):
        await _remove(context, await numbered(context, int(found[1])))
        return
    await _send_page(context, 0)


async def page(context: Context) -> None:
    """Another page of the contact sheet."""
    await context.answer()
    await _send_page(context, int(context.data[0]))


async def remove_pressed(context: Context) -> None:
    """Show the numbers to choose from, or remove the chosen one. Buttons hold ids, because numbers change."""
    found = await samples.of_style(context.parts.store, (await context.style()).id)
    if context.data[0] == "page":
        shown = found[int(context.data[1]) * PAGE :][:PAGE]
        buttons = [(str(sample.number), f"remove:{sample.id}") for sample in shown]
        await context.say("remove-which", buttons=[buttons[i : i + 5] for i in range(0, len(buttons), 5)])
        return
    chosen = next((sample for sample in found if sample.id == int(context.data[0])), None)
    if chosen is None:
        raise UserError("sample-gone")
    await _remove(context, chosen)


async def numbered(context: Context, number: int) -> Sample:
    found = await samples.of_style(context.parts.store, (await context.style()).id)
    if not 1 <= number <= len(found):
        raise UserError("sample-number", number=number, n=len(found))
    return found[number - 1]


async def _remove(context: Context, sample: Sample) -> None:
    store = context.parts.store
    change = await changes.remove(store, sample.style, context.origin, [sample.id])
    await context.parts.blobs.sweep(await changes.forget_beyond(store, sample.style))
    left = await samples.of_style(store, sample.style)
    buttons = undo_button(context.words, change)
    await context.say("sample-removed", number=sample.number, n=len(left), buttons=buttons)


async def _send_page(context: Context, number: int) -> None:
    """One contact sheet, its captions as text, and buttons to turn pages and to remove."""
    style = await context.style()
    found = await samples.of_style(context.parts.store, style.id)
    shown = found[number * PAGE :][:PAGE]
    if not shown:
        raise UserError(none_of(style), keyword=style.keyword, min=context.parts.config.train.min_samples)
    entries = [
        Entry(
            number=one.number,
            picture=await decoding.small(partial(context.parts.blobs.read_now, one.blob), CELL),
            caption=one.caption or "?",
        )
        for one in shown
    ]
    picture = await decoding.in_turn(partial(sample_sheet, entries))
    lines = [context.words("samples-page", keyword=style.keyword, n=len(found))]
    lines += [
        _line(context, sample, lost=not entry.picture) for sample, entry in zip(shown, entries, strict=True)
    ]
    lines.append(context.words("samples-page-hint", number=shown[0].number))
    await context.answer()
    context.parts.sample_replies.close_burst(context.person.id)
    buttons = _page_buttons(context, number, len(found))
    await context.parts.sender.photo(context.person.id, picture, "\n".join(lines), buttons=buttons)


def _line(context: Context, sample: Sample, *, lost: bool) -> str:
    """At most 40 characters, so that a page's 20 fit into a picture's caption."""
    if lost:
        return context.words("sample-line-lost", number=sample.number)
    if sample.caption is None:
        return context.words("sample-line-none", number=sample.number)
    return context.words("sample-line", number=sample.number, caption=clip(sample.caption, 34))


def _page_buttons(context: Context, number: int, count: int) -> Buttons:
    turn = [("‹", f"samples:{number - 1}")] if number else []
    turn += [("›", f"samples:{number + 1}")] if (number + 1) * PAGE < count else []
    remove = context.words.buttons([[("button-remove", f"remove:page:{number}")]])
    return [*remove, turn] if turn else remove
