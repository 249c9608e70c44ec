"""/sticker, and the buttons below a sticker that draw another one."""

from __future__ import annotations

import random

from bot import sticker_options
from bot.context import Context
from bot.errors import UserError
from bot.limit import check_room
from bot.sticker_options import StickerOptions
from bot.tables import drawings, jobs, styles
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.tables.styles import Style
from lora.data import captions


async def sticker(context: Context) -> None:
    """Draw what the text says in the current style."""
    wanted = sticker_options.read(context.argument, context.parts.config.sticker)
    style = await styles.get(context.parts.store, context.person.id, context.person.style)
    await _ask(context, wanted, style)


async def again(context: Context) -> None:
    """The same prompt with another seed."""
    _, job = await _pressed(context)
    await _ask_like(context, job, cfg=job.cfg, seed=None)


async def other_cfg(context: Context) -> None:
    """The same prompt and seed with another CFG."""
    drawing, job = await _pressed(context)
    await _ask_like(context, job, cfg=float(context.data[1]), seed=drawing.seed)


async def _ask_like(context: Context, job: Job, *, cfg: float, seed: int | None) -> None:
    style = await styles.get(context.parts.store, context.person.id, job.style)
    wanted = StickerOptions(prompt=job.prompt, cfg=cfg, seed=seed, count=1)
    await context.answer("notice-drawing")
    await _ask(context, wanted, style)


async def _ask(context: Context, wanted: StickerOptions, style: Style | None) -> None:
    """Insert the draw. Without a trained style the bare base draws, and the person reads that."""
    store = context.parts.store
    if await jobs.by_origin(store, context.person.id, context.origin):
        return  # this very message has asked before, and then the bot was killed
    trained = style if style and style.adapter else None
    prompt = captions.normalise(wanted.prompt)
    length = captions.length(prompt, trained.keyword if trained else "")
    if not length.fits:
        raise UserError("prompt-too-long", tokens=length.tokens, room=length.room)
    if trained:
        prompt = captions.with_keyword(prompt, trained.keyword)
    if trained and context.parts.dispatch.draws_on_other_base(trained.base):
        again = [[("button-train-again", f"train:again:{trained.id}")]]
        raise UserError("other-base", keyword=trained.keyword, buttons=again)
    await check_room(context)
    await jobs.ask_draw(
        store,
        person=context.person.id,
        origin=context.origin,
        style=trained.id if trained else None,
        adapter=trained.adapter if trained else None,
        keyword=trained.keyword if trained else "",
        prompt=prompt,
        cfg=wanted.cfg,
        seed=random.randrange(sticker_options.MAX_SEED) if wanted.seed is None else wanted.seed,
        steps=context.parts.config.sticker.steps,
        count=wanted.count,
        note=_note(style),
    )
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)


def _note(style: Style | None) -> str | None:
    """What the person should know about what draws for them."""
    if style is None:
        return "note-no-style"
    if style.adapter is None:
        return "note-untrained"
    return None if style.finished else "note-unfinished"


async def _pressed(context: Context) -> tuple[Drawing, Job]:
    found = await drawings.get(context.parts.store, context.person.id, int(context.data[0]))
    if found is None:
        raise UserError("drawing-gone")
    return found
