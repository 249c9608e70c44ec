"""Corrections of samples as plain messages, by their numbers on /samples, and taking the last change back."""

from __future__ import annotations

from dataclasses import replace

from bot import captioning, renaming
from bot.context import Context
from bot.errors import UserError
from bot.handlers.captions import MOST_NAMED, finished, is_list, keep_for_style, text
from bot.sample_lines import Corrections, corrections
from bot.sample_words import called, numbers, removed, undo_button
from bot.tables import changes, imports, jobs, samples, styles
from bot.tables.changes import Change, Full, Undone
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style


async def correct(context: Context) -> None:
    """Lines like "12: a fox" and "-12": new captions, and samples removed. All of the message or nothing."""
    await keep_for_style(context)
    if await is_list(context, context.message.text or ""):
        await text(context)
        return
    asked = corrections(context.message.text or "")
    assert asked is not None
    style = await context.style()
    if await changes.by_origin(context.parts.store, style.id, context.origin) is None:
        await _correct(context, asked)
    await _tell(context, asked)


async def undo_pressed(context: Context) -> None:
    """The button below a change. It does nothing if something else of the style was changed later."""
    store, person = context.parts.store, context.person.id
    if await changes.undone_by(store, person, context.origin):
        return  # this was worked on before, and then the bot was killed; its answer is a row
    change = await changes.standing(store, person, int(context.data[0]))
    if change is None:
        raise UserError("undo-already")
    if change != await changes.newest(store, person, change.style):
        raise UserError("undo-not-last")
    await take_back(context, change)


async def _correct(context: Context, asked: Corrections) -> None:
    """Make the change as a whole. Raises UserError for a number that is not there, or a caption that is too long."""
    store, style = context.parts.store, await context.style()
    found = await samples.of_style(store, style.id)
    for number in (*asked.captions, *asked.removed):
        if not 1 <= number <= len(found):
            raise UserError("sample-number", number=number, n=len(found))
    written = [
        (found[number - 1], finished(found[number - 1], words, style, context.person.writes_in))
        for number, words in asked.captions.items()
    ]
    removed = [found[number - 1].id for number in asked.removed]
    async with store.transaction():
        touched = [sample.id for sample, _ in written] + removed
        change = await changes.note(store, style.id, context.origin, touched)
        if change is None:
            return
        for sample, caption in written:
            await captioning.store_finished(
                store, sample.id, caption, CaptionOrigin.PERSON, message_id=context.message.message_id
            )
        await store.change_many("DELETE FROM sample WHERE id = ?", [(id,) for id in removed])
        await changes.forget_if_same(store, change)
    await context.parts.blobs.sweep(await changes.forget_beyond(store, style.id))


async def _tell(context: Context, asked: Corrections) -> None:
    """Say what the message has changed, by the numbers that it named."""
    store, style, words = context.parts.store, await context.style(), context.words
    done = await samples.captioned_by(store, context.person.id, context.message.message_id)
    named = zip(asked.captions, done, strict=False)  # both in the order of the samples
    lines = [called(words, replace(sample, number=number)) for number, sample in named]
    if len(lines) > MOST_NAMED:
        lines = [*lines[:MOST_NAMED], "…"]
    if asked.removed:
        lines.append(removed(words, asked.removed, style.samples))
    change = await changes.by_origin(store, style.id, context.origin)
    if change is None:
        lines.append(words("correction-same"))
    await context.send("\n".join(lines), buttons=undo_button(words, change))


async def take_back(context: Context, change: Change) -> None:
    """Take a style's newest change back, and say what it was. Raises UserError."""
    parts = context.parts
    style = await styles.get(parts.store, context.person.id, change.style)
    assert style is not None
    if change.renamed is not None:
        async with parts.store.transaction():
            await renaming.rename_back(parts.store, style, change.id, change.renamed, context.origin)
            await context.send_surely(
                context.words("undone-renamed", keyword=change.renamed, old=style.keyword)
            )
        return
    await _stop_making(context, change.id)
    before = {sample.id: sample for sample in await samples.of_style(parts.store, style.id)}
    try:
        async with parts.store.transaction():
            undone = await changes.undo(
                parts.store, change.id, context.origin, parts.config.train.max_samples
            )
            await context.send_surely(await _undone_text(context, style, undone, before))
    except Full as error:
        raise UserError("undo-full", most=parts.config.train.max_samples) from error
    await parts.blobs.sweep(undone.unused)


async def _stop_making(context: Context, change: int) -> None:
    """End the import or the job that is still making this change."""
    parts = context.parts
    await imports.stop_of_change(parts.store, change)
    job = await jobs.by_origin(parts.store, context.person.id, await changes.origin_of(parts.store, change))
    if job is not None and job.active:
        await parts.dispatch.cancel(context.person.id, job.id)
        parts.deliver.wake(context.person.id)


async def _undone_text(context: Context, style: Style, undone: Undone, before: dict[int, Sample]) -> str:
    words = context.words
    now = {sample.id: sample for sample in await samples.of_style(context.parts.store, style.id)}
    lines = []
    if undone.back:
        lines.append(words("undone-back", numbers=numbers([now[id] for id in undone.back])))
    if undone.changed:
        changed = [now[id] for id in undone.changed]
        lines.append(words("undone-changed", numbers=numbers(changed)))
        lines += [called(words, sample) for sample in changed if sample.caption][:MOST_NAMED]
    if undone.gone:
        lines.append(words("undone-gone", numbers=numbers([before[id] for id in undone.gone]), n=len(now)))
    head = words("undone-in", keyword=style.keyword)
    return "\n".join([head, *(lines or [words("undone-none")])])
