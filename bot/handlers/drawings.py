"""The buttons below a sticker that draw it another way, or cut it out another way."""

from __future__ import annotations

from dataclasses import replace

from bot.context import Context
from bot.draw_request import Model, ask, draw_words, random_seed, wake
from bot.errors import UserError
from bot.quotas import check_drawing
from bot.sticker_buttons import OUTLINES, below, cut_menu, draw_menu
from bot.sticker_options import MAX_SEED
from bot.tables import drawings, jobs, packs, questions, styles
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.tables.styles import Style
from lora.jobs import DrawOptions
from lora.option_text import MOST_NEAR


async def again(context: Context) -> None:
    """Draw the prompt with another seed."""
    drawing, job = await _pressed(context)
    await _draw(context, drawing, job, seed=random_seed(), near=())


async def other_cfg(context: Context) -> None:
    """Draw the prompt with the same seed and another CFG."""
    await _draw(context, *await _pressed(context), cfg=float(context.data[1]))


async def near(context: Context) -> None:
    """Draw the prompt from noise near that of the drawing."""
    drawing, job = await _pressed(context)
    options = job.options.of_picture(drawing.position)
    if len(options.near) >= MOST_NEAR:
        raise UserError("near-too-far")
    await _draw(context, drawing, job, near=(*options.near, random_seed()))


async def many(context: Context) -> None:
    """Draw the prompt several times, with other seeds."""
    drawing, job = await _pressed(context)
    count = min(int(context.data[1]), context.parts.config.sticker.max_count)
    await _draw(context, drawing, job, count=count, seed=random_seed() % (MAX_SEED - count), near=())


async def strength(context: Context) -> None:
    """Draw the same with less or more of the style."""
    await _draw(context, *await _pressed(context), strength=float(context.data[1]))


async def in_style(context: Context) -> None:
    """Draw the same in another style of the person."""
    drawing, job = await _pressed(context)
    style = await styles.usable(context.parts.store, context.person.id, int(context.data[1]))
    if style is None:
        raise UserError("style-gone")
    await context.answer("notice-drawing")
    model = Model.of(drawing, job)
    await ask(context, model.prompt, model.options, style, origin=context.origin)


async def without(context: Context) -> None:
    """Ask which words shall not be on it. A reply to that message is the answer."""
    drawing, _ = await _pressed(context)
    message_id = await context.say("without-ask", reply_to=drawing.message_id)
    await questions.put(context.parts.store, context.person.id, message_id, drawing.id)


async def without_said(context: Context) -> bool:
    """A text that replies to ``without``: draw the same without these words. False if it replies to something else."""
    replied, store = context.message.reply_to_message, context.parts.store
    if replied is None or not context.message.text:
        return False
    id = await questions.get(store, context.person.id, replied.message_id)
    found = None if id is None else await drawings.get(store, context.person.id, id)
    if found is None or not found[1].prompt:
        return False
    await draw_words(context, f"--no {context.message.text}", origin=context.origin, model=Model.of(*found))
    return True


async def outline(context: Context) -> None:
    """Give the sticker another outline, without drawing again."""
    await _cut_again(context, outline=OUTLINES[context.data[1]])


async def cutout(context: Context) -> None:
    """Remove the background another way, without drawing again."""
    await _cut_again(context, cutout=context.data[1])


async def menu(context: Context) -> None:
    """Show other buttons below the sticker."""
    drawing, job = await _pressed(context)
    words, name = context.words, context.data[1]
    if name == "cut":
        buttons = cut_menu(words, job, drawing)
    elif name == "draw":
        # in a group the names of a person's styles are nobody's business
        others = await _styles(context) if context.group is None else []
        named = [(one.keyword, str(one.id)) for one in others if one.adapter and one.id != job.style]
        buttons = draw_menu(words, job, drawing, named, context.parts.config.sticker.max_count)
    else:
        buttons = below(words, job, drawing, await packs.of_drawing(context.parts.store, drawing.id))
    await context.answer()
    await context.parts.sender.edit_buttons(context.chat, context.message.message_id, buttons)


async def _styles(context: Context) -> list[Style]:
    store, person = context.parts.store, context.person.id
    return await styles.all_of(store, person) + await styles.lent_to(store, person)


async def _draw(context: Context, drawing: Drawing, job: Job, **changes: object) -> None:
    """Ask for the drawing with other options, in the style of its job as it is now."""
    style = await styles.usable(context.parts.store, context.person.id, job.style)
    if style is None and job.style is not None:
        raise UserError("style-gone")
    await context.answer("notice-drawing")
    model = Model.of(drawing, job)
    await ask(context, model.prompt, replace(model.options, **changes), style, origin=context.origin)  # type: ignore[arg-type]


async def _cut_again(context: Context, **changes: object) -> None:
    drawing, job = await _pressed(context)
    options: DrawOptions = replace(job.options.of_picture(drawing.position), **changes)  # type: ignore[arg-type]
    store, person = context.parts.store, context.person.id
    if await jobs.by_origin(store, person, context.origin) is None:
        await check_drawing(context, 0)
        asked = await jobs.ask_cut(
            store,
            person=person,
            drawing=drawing.id,
            origin=context.origin,
            options=options,
            chat=context.group,
        )
        if not asked:
            raise UserError("drawing-gone")
    await context.answer("notice-cutting")
    wake(context)


async def _pressed(context: Context) -> tuple[Drawing, Job]:
    """The sticker whose button was pressed, and its job. Raises UserError if it or its prompt is not there any more."""
    found = await drawings.get(context.parts.store, context.person.id, int(context.data[0]))
    if found is None or not found[1].prompt:
        raise UserError("drawing-gone")
    return found
