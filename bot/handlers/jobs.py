"""/status and /cancel: the person's jobs, and how to end them."""

from __future__ import annotations

from bot.context import Context
from bot.errors import Buttons, UserError
from bot.handlers import undo
from bot.progress import under_way
from bot.sample_words import pictures_of
from bot.tables import jobs, packs, questions, styles
from bot.tables.jobs import Job, JobKind
from bot.words import clip


async def status(context: Context) -> None:
    """Send the person's current style, active jobs and packs."""
    store = context.parts.store
    lines = [await _style_line(context)]
    await context.parts.dispatch.estimates.line.refresh()
    for job in await jobs.active_of(store, context.person.id):
        estimate = await context.parts.dispatch.estimates.estimate(job)
        lines.append(under_way(context.words, job, estimate, context.parts.config)[0])
    if len(lines) == 1:
        lines.append(context.words("status-idle"))
    found = await packs.all_of(store, context.person.id)
    lines += [context.words("pack-line", title=pack.title, n=n) for pack, n in found]
    await context.send("\n\n".join(lines))


async def cancel(context: Context) -> None:
    """End a question, else the person's active job; if there are several, ask which one."""
    if asked := await questions.end(context.parts.store, context.person.id):
        await context.parts.sender.edit_buttons(context.chat, asked.message_id, [])
        await context.say("asked-ended")
        return
    found = await jobs.active_of(context.parts.store, context.person.id)
    if not found:
        back = await undo.button(context)
        raise UserError("nothing-to-cancel-but-undo" if back else "nothing-to-cancel", buttons=back or None)
    if len(found) == 1:
        await _end(context, found[0].id)
        return
    buttons: Buttons = [[(_label(context, job), f"cancel:{job.id}")] for job in found]
    await context.say("cancel-which", buttons=buttons)


async def cancel_pressed(context: Context) -> None:
    """End the job of this button."""
    await context.answer("notice-cancelling")
    await _end(context, int(context.data[0]))


async def _end(context: Context, id: int) -> None:
    """End a job. After a button press only the job's message says so; after /cancel a new message does too."""
    job = await context.parts.dispatch.cancel(context.person.id, id)
    context.parts.deliver.wake(context.person.id)
    if job is None:
        await context.say("cancel-too-late")
    elif context.press is None:
        await context.say("cancelled")


async def _style_line(context: Context) -> str:
    style = await styles.get(context.parts.store, context.person.id, context.person.style)
    if style is None:
        lent = await styles.usable(context.parts.store, context.person.id, context.person.style)
        if lent is not None:
            return context.words("status-lent", keyword=lent.keyword)
        others = await styles.all_of(context.parts.store, context.person.id)
        return context.words("status-none-chosen" if others else "no-style")
    state = context.words.plain("style-ready" if style.adapter else "style-untrained")
    pictures = pictures_of(context.words, style)
    return context.words("status-style", keyword=style.keyword, pictures=pictures, state=state)


def _label(context: Context, job: Job) -> str:
    if job.kind == JobKind.CUT_OUT:
        return context.words.plain("cancel-cutout", keyword=job.keyword)
    if job.kind == JobKind.TRAIN:
        return context.words.plain("cancel-train", keyword=job.keyword)
    return context.words.plain(
        "cancel-draw", prompt=clip(job.prompt, 40), cfg=context.words.number(job.options.cfg)
    )
