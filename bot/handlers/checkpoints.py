"""Choosing a checkpoint of a training: the buttons below the sheet, and the sheet again from /styles."""

from __future__ import annotations

from bot import checkpoint_choice
from bot.context import Context
from bot.errors import UserError
from bot.tables import comparisons, jobs, styles


async def choose(context: Context) -> None:
    """Draw with this checkpoint from now on; pressing it again changes nothing."""
    store, (job_id, step) = context.parts.store, map(int, context.data)
    job = await jobs.get(store, job_id)
    if job is None or job.person != context.person.id or job.style is None:
        raise UserError("style-gone")
    newest = await comparisons.of_style(store, job.style)
    if newest is None or newest.job != job_id or not await comparisons.use(store, job_id, step):
        raise UserError("checkpoints-older", keyword=job.keyword)
    await context.answer("notice-checkpoint")
    now = await comparisons.of_job(store, job_id)
    assert now is not None
    await context.parts.sender.edit_caption(
        context.person.id,
        context.message.message_id,
        checkpoint_choice.caption(context.words, now),
        buttons=checkpoint_choice.buttons(context.words, now),
    )


async def show(context: Context) -> None:
    """Send the sheet of a style again."""
    store = context.parts.store
    style = await styles.get(store, context.person.id, int(context.data[0]))
    if style is None:
        raise UserError("style-gone")
    found = await comparisons.of_style(store, style.id)
    if found is None:
        raise UserError("checkpoints-none", keyword=style.keyword)
    await context.answer()
    context.parts.sample_replies.close_burst(context.person.id)
    await context.parts.sender.sheet(
        context.person.id,
        await context.parts.blobs.read(found.sheet),
        checkpoint_choice.caption(context.words, found),
        buttons=checkpoint_choice.buttons(context.words, found),
    )
