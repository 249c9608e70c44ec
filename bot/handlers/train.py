"""/train: checks the samples of the current style and inserts the job."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bot import advice, fixes
from bot.context import Context
from bot.errors import UserError
from bot.quotas import check_training
from bot.sample_words import lacking, none_of, numbers
from bot.sticker_options import MAX_SEED
from bot.store import Clash
from bot.tables import jobs, people, samples, styles
from bot.tables.samples import Sample
from bot.tables.styles import Style
from bot.words import Html


async def train(context: Context) -> None:
    """Ask for a training if there are enough samples, all have captions, and a check finds no problem."""
    await _ask(context, bare=False, warn=True)


async def train_pressed(context: Context) -> None:
    """Ask for a training from a button. Warnings are not shown where the person has read them, or trains again.

    The buttons "bare" and "bareanyway" give samples without a caption the keyword alone; only the latter stands below
    warnings. A button with a style makes it the current one.
    """
    if len(context.data) > 1:
        await _work_on(context, int(context.data[1]))
    await _ask(context, bare=context.data[0].startswith("bare"), warn=context.data[0] == "bare")


async def _work_on(context: Context, id: int) -> None:
    style = await styles.get(context.parts.store, context.person.id, id)
    if style is None:
        raise UserError("style-gone")
    await people.work_on(context.parts.store, context.person.id, id)
    context.person = replace(context.person, style=id)


async def _ask(context: Context, *, bare: bool, warn: bool) -> None:
    store, config, style = context.parts.store, context.parts.config, await context.style()
    if await jobs.by_origin(store, context.person.id, context.origin):
        return  # this message was handled before, and then the bot was killed
    found = await samples.of_style(store, style.id)
    least, most = config.train.advised_samples
    if style.imported and not found:
        raise UserError(none_of(style), keyword=style.keyword, min=config.train.min_samples)
    if len(found) < config.train.min_samples:
        raise UserError("too-few-samples", n=len(found), min=config.train.min_samples, least=least, most=most)
    await check_training(context)
    if (missing := lacking(found)) and not bare:
        raise UserError(
            "captions-lacking",
            numbers=numbers(missing),
            n=len(missing),
            number=missing[-1].number,
            keyword=style.keyword,
            buttons=[*fixes.offers(style.id, found, []), [("button-train-bare", f"train:bare:{style.id}")]],
        )
    if warn:
        await _warn(context, found, style, bare=bare)
    try:
        await jobs.ask_train(
            store,
            person=context.person.id,
            origin=context.origin,
            style=style.id,
            keyword=style.keyword,
            steps=config.train.steps or None,
            seed=_seed(style),
        )
    except Clash as error:
        raise UserError("already-training", keyword=style.keyword) from error
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)


def _seed(style: Style) -> int:
    """The seed of all trainings of a style: the same person and keyword give the same one, in any database.

    The row's number would change with what other people do.
    """
    digest = hashlib.sha256(f"{style.person} {style.keyword}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % MAX_SEED


async def _warn(context: Context, found: list[Sample], style: Style, *, bare: bool) -> None:
    """Raise UserError with all warnings of the checks, and a button to train all the same.

    ``bare``: the person knows which samples have no caption.
    """
    findings = await advice.find(context.parts.blobs, found, style.keyword)
    known = ("caption-empty",) if bare else ()
    warnings = [one for one in findings if one.severity == "warning" and one.code not in known]
    if warnings:
        lines = "\n".join(f"• {line}" for line in advice.worded(context.words, warnings))
        raise UserError(
            "train-doubts",
            keyword=style.keyword,
            lines=Html(lines),
            buttons=[
                *fixes.offers(style.id, found, warnings),
                [("button-train-anyway", f"train:{'bareanyway' if bare else 'anyway'}:{style.id}")],
            ],
        )
