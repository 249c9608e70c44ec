"""/report of guests: something is wrong with a shared style. /reports of admins: they read it and decide."""

from __future__ import annotations

import logging
from functools import partial

from bot import decoding, metrics, sharing
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.handlers.access import shut_out
from bot.reports import counted
from bot.tables import reports, shares, styles
from bot.tables.reports import Reason, Reported
from bot.tables.styles import Style
from lora.sheets.sample_sheet import CELL, Entry, sample_sheet

log = logging.getLogger(__name__)

MOST_SHOWN = 5  # styles in one answer to /reports
MOST_DRAWINGS = 4  # on the sheet of a style


async def report(context: Context) -> None:
    """Ask what is wrong with the shared style that the person is in; if they are in none, ask which they mean."""
    lent = await styles.lent_to(context.parts.store, context.person.id)
    if not lent:
        raise UserError("report-none")
    current = next((style for style in lent if style.id == context.person.style), None)
    if current is not None:
        await _ask(context, current)
        return
    await context.say("report-which", buttons=[[(style.keyword, f"report:{style.id}")] for style in lent])


async def report_pressed(context: Context) -> None:
    """``report:<style>`` asks for the reason, ``:<reason>`` stores the report."""
    style = await _lent(context, int(context.data[0]))
    if len(context.data) == 1:
        await _ask(context, style)
        return
    reason = Reason(context.data[1])
    added = await reports.add(context.parts.store, style.id, context.person.id, reason)
    if added:
        metrics.REPORTS.labels(reason.value).inc()
        if not context.parts.admins.ids:
            log.warning("a shared style is reported, and access.admins names nobody who is told and decides")
    context.parts.reports.wake()
    key = "reported" if added else "report-again"
    await context.replace(context.words(key, keyword=style.keyword), _leave(context, style))


async def show(context: Context) -> None:
    """The styles with open reports, each in a message of its own with what an admin can do."""
    found = await reports.open_ones(context.parts.store)
    if not found:
        raise UserError("no-reports")
    for one in found[:MOST_SHOWN]:
        await _show(context, one)
    if more := found[MOST_SHOWN:]:
        await context.say("reports-more", n=len(more))


async def decide(context: Context) -> None:
    """End the sharing of a reported style, ban its owner as well, or dismiss the reports."""
    what, parts = context.data[0], context.parts
    found = await reports.of_style(parts.store, int(context.data[1]))
    if found is None:
        raise UserError("report-settled")
    if what == "dismiss":
        await reports.dismiss(parts.store, found.style)
        await _settle(context, context.words("report-dismissed", keyword=found.keyword))
        return
    if what == "end" and not found.shared:
        raise UserError("report-not-shared", keyword=found.keyword)
    if what == "ban":
        await shut_out(context, found.owner)
    n = await sharing.end_reported(parts.store, parts.dispatch, parts.outbox, found)
    key = "share-over" if what == "ban" else "report-ended"
    text = context.words(key, keyword=found.keyword, n=n, owner=found.owner)
    again = [[("button-share-allow", f"unbar:{found.style}")]]
    await _settle(context, text, context.words.buttons(again))


async def unbar(context: Context) -> None:
    """Let the owner share a style again whose sharing an admin has ended."""
    await shares.bar(context.parts.store, int(context.data[0]), False)
    await _settle(context, context.words("share-allowed"))


async def _lent(context: Context, id: int) -> Style:
    """A style that is shared with the person. Raises UserError if it is not, or not any more."""
    style = await styles.usable(context.parts.store, context.person.id, id)
    if style is None or style.person == context.person.id:
        raise UserError("style-gone")
    return style


async def _ask(context: Context, style: Style) -> None:
    if await reports.has(context.parts.store, style.id, context.person.id):
        await context.say("report-again", keyword=style.keyword, buttons=_leave(context, style))
        return
    reasons = [
        ("button-report-unsafe", Reason.UNSAFE),
        ("button-report-work", Reason.WORK),
        ("button-report-other", Reason.OTHER),
    ]
    rows = [[(key, f"report:{style.id}:{reason}")] for key, reason in reasons]
    await context.say("report-ask", keyword=style.keyword, buttons=context.words.buttons(rows))


def _leave(context: Context, style: Style) -> Buttons:
    return context.words.buttons([[("button-report-leave", f"leave:{style.id}")]])


async def _show(context: Context, found: Reported) -> None:
    text, buttons = _about(context, found), _decisions(context, found)
    sheet = None if found.owner == context.person.id else await _sheet(context, found)
    if sheet is None:
        await context.send(text, buttons=buttons)
        return
    await context.answer()
    await context.parts.sender.photo(context.person.id, sheet, text, buttons=buttons)


def _about(context: Context, found: Reported) -> str:
    words, reasons = context.words, counted(context.words, found)
    return "\n".join(
        [
            words("report", keyword=found.keyword, owner=found.owner, n=found.count, reasons=reasons),
            words("report-guests", n=found.guests) if found.shared else words("report-unshared"),
            words("report-times", first=words.date(found.first), last=words.date(found.last)),
        ]
    )


def _decisions(context: Context, found: Reported) -> Buttons:
    row = [("button-share-end", f"decide:end:{found.style}")] if found.shared else []
    row += [
        ("button-ban-owner", f"decide:ban:{found.style}"),
        ("button-dismiss", f"decide:dismiss:{found.style}"),
    ]
    return context.words.buttons([[one] for one in row])


async def _sheet(context: Context, found: Reported) -> bytes | None:
    """The newest drawings that were made in the style for who reports it; None if there are none any more.

    It shows no sample, and nothing that the owner or anybody else has drawn.
    """
    blobs, entries = context.parts.blobs, list[Entry]()
    for name in await reports.drawn(context.parts.store, found.style, MOST_DRAWINGS):
        if picture := await decoding.small(partial(blobs.read_now, name), CELL):
            entries.append(Entry(number=len(entries) + 1, picture=picture, caption=""))
    return await decoding.in_turn(partial(sample_sheet, entries)) if entries else None


async def _settle(context: Context, text: str, buttons: Buttons | None = None) -> None:
    """Put what was decided in the place of the report."""
    if context.message.photo:
        await context.answer()
        id = context.message.message_id
        await context.parts.sender.edit_caption(context.person.id, id, text, buttons=buttons)
        return
    await context.replace(text, buttons)
