"""/sticker, and the buttons below a sticker that draw another one."""

from __future__ import annotations

import random
from dataclasses import replace

from bot import sticker_options
from bot.context import Context
from bot.english import English, in_english, nothing_known
from bot.errors import UserError
from bot.looks import look_of
from bot.quotas import check_drawing
from bot.sticker_options import MAX_SEED
from bot.tables import drawings, jobs, styles
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.tables.styles import Style
from bot.words import clip
from lora.data import captions
from lora.jobs import DrawOptions


async def sticker(context: Context) -> None:
    """Draw the prompt in the current style."""
    settings = context.parts.config.sticker
    request = sticker_options.read(context.argument, settings, seed=_random_seed())
    style = await styles.usable(context.parts.store, context.person.id, context.person.style)
    prompt = in_english(request.prompt, style.keyword if style else "", context.person.writes_in)
    if nothing_known(request.prompt, prompt):
        raise UserError("prompt-unknown", words=clip(prompt.unknown))
    await _ask(context, prompt, request.options, style)


async def again(context: Context) -> None:
    """Draw the prompt of a sticker with another seed."""
    _, job = await _pressed(context)
    await _ask_again(context, job, replace(job.options, seed=_random_seed(), count=1))


async def other_cfg(context: Context) -> None:
    """Draw the prompt of a sticker with the same seed and another CFG."""
    drawing, job = await _pressed(context)
    options = replace(job.options, cfg=float(context.data[1]), seed=drawing.seed, count=1)
    await _ask_again(context, job, options)


async def _ask_again(context: Context, job: Job, options: DrawOptions) -> None:
    """Ask for the prompt of a job with other options, in the style of the job as it is now."""
    style = await styles.usable(context.parts.store, context.person.id, job.style)
    if style is None and job.style is not None:
        raise UserError("style-gone")
    await context.answer("notice-drawing")
    prompt = English(text=job.prompt, original=job.prompt_original, unknown=job.prompt_unknown)
    await _ask(context, prompt, options, style)


async def _ask(context: Context, english: English, options: DrawOptions, style: Style | None) -> None:
    """Insert the draw. ``bot/looks.py`` says with what it is drawn, and a note tells it."""
    store = context.parts.store
    if await jobs.by_origin(store, context.person.id, context.origin):
        return  # this message was handled before, and then the bot was killed
    look = look_of(context, style)
    prompt = captions.normalise(english.text)
    length = captions.length(prompt, look.word)
    if not length.fits:
        raise UserError("prompt-too-long", tokens=length.tokens, room=length.room)
    if look.keyword:
        prompt = captions.with_keyword(prompt, look.word)
    await check_drawing(context, options.count)
    await jobs.ask_draw(
        store,
        person=context.person.id,
        origin=context.origin,
        style=look.style,
        adapter=look.adapter,
        keyword=look.keyword,
        prompt=prompt,
        prompt_original=english.original,
        prompt_unknown=english.unknown,
        lent_keyword=look.lent_keyword,
        options=options,
        note=look.note,
    )
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)


def _random_seed() -> int:
    return random.randrange(MAX_SEED)


async def _pressed(context: Context) -> tuple[Drawing, Job]:
    """The sticker whose button was pressed, and its job. Raises UserError if it or its prompt is not there any more."""
    found = await drawings.get(context.parts.store, context.person.id, int(context.data[0]))
    if found is None or not found[1].prompt:
        raise UserError("drawing-gone")
    return found
