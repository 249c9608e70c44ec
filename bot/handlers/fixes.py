"""The buttons below findings that mend what was found. Each can be taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot import advice, fixes
from bot.context import Context
from bot.errors import UserError
from bot.quotas import check_room
from bot.sample_words import lacking, numbers, removed, undo_button
from bot.tables import changes, cutouts, samples, styles
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from lora.data import captions
from lora.jobs import Finding


async def fix(context: Context) -> None:
    """Mend one kind of finding, as it is now: samples may have changed since the button came."""
    store, (what, id) = context.parts.store, context.data
    style = await styles.get(store, context.person.id, int(id))
    if style is None:
        raise UserError("style-gone")
    if (done := await changes.by_origin(store, style.id, context.origin)) is not None:
        # This press was worked on before, and then the bot was killed. A job tells of itself.
        if what != "background":
            await context.say("fix-done", keyword=style.keyword, buttons=undo_button(context.words, done))
        return
    await context.answer()
    found = await samples.of_style(store, style.id)
    findings = await advice.find(context.parts.blobs, found, style.keyword)
    await FIXES[what](context, style, found, findings)


async def _drop(context: Context, style: Style, found: list[Sample], findings: list[Finding]) -> None:
    parts = context.parts
    dropped = await fixes.surplus(parts.blobs, found, findings)
    if not dropped:
        raise UserError("fix-nothing")
    change = await changes.remove(parts.store, style.id, context.origin, [s.id for s in dropped])
    await parts.blobs.sweep(await changes.forget_beyond(parts.store, style.id))
    left = len(found) - len(dropped)
    text = removed(context.words, [sample.number for sample in dropped], left)
    await context.send(text, buttons=undo_button(context.words, change))


async def _draft(context: Context, style: Style, found: list[Sample], findings: list[Finding]) -> None:
    store = context.parts.store
    made = fixes.drafts(found, findings)
    drafts = {id: captions.with_keyword(text, style.keyword) for id, text in made.all.items()}
    if not drafts:
        raise UserError("fix-nothing")
    async with store.transaction():
        change = await changes.note(store, style.id, context.origin, drafts)
        for id, text in drafts.items():
            await samples.caption(store, id, text, CaptionOrigin.DRAFT)
    await context.parts.blobs.sweep(await changes.forget_beyond(store, style.id))
    words = context.words
    lines = [
        words(key, n=len(some), example=drafts[next(iter(some))])
        for key, some in (("drafts-from-emoji", made.from_emoji), ("drafts-copied", made.copied))
        if some
    ]
    lines.append(words("drafts-next"))
    if left := [sample for sample in lacking(found) if sample.id not in drafts]:
        lines.append(words("samples-lacking", n=len(left), numbers=numbers(left), number=left[-1].number))
    buttons = words.buttons([[("button-keep-drafts", f"drafts:{style.id}")]])
    await context.send("\n".join(lines), buttons=buttons + undo_button(words, change))


async def _cut_out(context: Context, style: Style, found: list[Sample], findings: list[Finding]) -> None:
    store = context.parts.store
    busy = {n for finding in findings if finding.code == fixes.BACKGROUND for n in finding.samples}
    meant = [sample for sample in found if sample.number in busy]
    if not meant or await cutouts.active(store, style.id):
        raise UserError("fix-nothing")
    await check_room(context)
    await cutouts.ask(store, style, context.origin, meant)
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)


FIXES: dict[str, Callable[[Context, Style, list[Sample], list[Finding]], Awaitable[None]]] = {
    "duplicates": _drop,
    "captions": _draft,
    "background": _cut_out,
}
