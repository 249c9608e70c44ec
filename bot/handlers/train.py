"""/train: from samples to a job."""

from __future__ import annotations

from dataclasses import replace

from bot.collect import lacking, numbers
from bot.context import Context
from bot.errors import UserError
from bot.limit import check_room
from bot.store import Clash
from bot.tables import jobs, people, samples, styles


async def train(context: Context) -> None:
    """Ask for a training, if the samples are enough and all have captions."""
    await _ask(context, bare=False)


async def train_pressed(context: Context) -> None:
    """The same from a button; ``bare``: pictures without a caption get the keyword alone.

    A button that names a style makes it the current one.
    """
    if len(context.data) > 1:
        await _work_on(context, int(context.data[1]))
    await _ask(context, bare=context.data[0] == "bare")


async def _work_on(context: Context, id: int) -> None:
    style = await styles.get(context.parts.store, context.person.id, id)
    if style is None:
        raise UserError("style-gone")
    await people.work_on(context.parts.store, context.person.id, id)
    context.person = replace(context.person, style=id)


async def _ask(context: Context, *, bare: bool) -> None:
    store, config, style = context.parts.store, context.parts.config, await context.style()
    if await jobs.by_origin(store, context.person.id, context.origin):
        return  # this very message has asked before, and then the bot was killed
    found = await samples.of_style(store, style.id)
    least, most = config.train.advised_samples
    if len(found) < config.train.min_samples:
        raise UserError("too-few-samples", n=len(found), min=config.train.min_samples, least=least, most=most)
    if (missing := lacking(found)) and not bare:
        raise UserError(
            "captions-lacking",
            numbers=numbers(missing),
            n=len(missing),
            number=missing[-1].number,
            keyword=style.keyword,
            buttons=[[("button-train-bare", "train:bare")]],
        )
    await check_room(context)
    try:
        await jobs.ask_train(
            store,
            person=context.person.id,
            origin=context.origin,
            style=style.id,
            keyword=style.keyword,
            steps=config.train.steps or None,
            seed=style.id,
        )
    except Clash as error:
        raise UserError("already-training", keyword=style.keyword) from error
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)
