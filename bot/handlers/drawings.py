"""The buttons below a sticker that draw it another way, or cut it out another way."""

from __future__ import annotations

from dataclasses import replace

from bot import asking
from bot.context import Context
from bot.draw_request import Model, ask, draw_words, random_seed, wake
from bot.errors import UserError
from bot.progress import OUTLINES
from bot.quotas import check_drawing
from bot.sticker_buttons import SWEEP, below, cut_menu, draw_menu
from bot.tables import drawings, jobs, packs, styles
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.tables.styles import Style
from lora.jobs import DrawOptions
from lora.option_text import MOST_NEAR

WITHOUT, OTHER_WORDS = "without", "words"  # kinds of questions about a drawing


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
    await _draw(context, drawing, job, count=count, seed=random_seed(), near=())


async def compare(context: Context) -> None:
    """Draw the prompt freer, as usual and stricter, with the same seed, and a sheet of all."""
    drawing, job = await _pressed(context)
    values = tuple(SWEEP.values())
    if len(values) > context.parts.config.sticker.max_count:
        raise UserError("option-sweep", most=context.parts.config.sticker.max_count)
    await _draw(context, drawing, job, cfg=values[0], sweep=values, count=len(values))


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
    model = Model.of(job, drawing.position)
    await ask(context, model.prompt, model.options, style, origin=context.origin)


async def without(context: Context) -> None:
    """Ask which words shall not be on it."""
    await _ask_words(context, WITHOUT, "without-ask")


async def other_words(context: Context) -> None:
    """Ask for another prompt, to be drawn with the same seed and options."""
    await _ask_words(context, OTHER_WORDS, "words-ask")


async def draw_like(context: Context, id: int, text: str, origin: str | None = None) -> None:
    """Draw one of the person's drawings with what a text changes. Raises UserError."""
    drawing, job = await _mine(context, id)
    model = Model.of(job, drawing.position)
    await draw_words(context, text, origin=origin or context.origin, model=model)


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
    model = Model.of(job, drawing.position)
    options = replace(model.options, **changes)  # type: ignore[arg-type]
    await ask(context, model.prompt, options, style, bare=model.bare, origin=context.origin)


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


async def _ask_words(context: Context, kind: str, key: str) -> None:
    drawing, _ = await _pressed(context)
    await asking.ask(context, kind, drawing.id, context.words(key), reply_to=drawing.message_id)


async def _pressed(context: Context) -> tuple[Drawing, Job]:
    """The sticker whose button was pressed, and its job."""
    return await _mine(context, int(context.data[0]))


async def _mine(context: Context, id: int) -> tuple[Drawing, Job]:
    """A sticker of the person, and its job. Raises UserError if it or its prompt is not there any more."""
    found = await drawings.get(context.parts.store, context.person.id, id)
    if found is None or not found[1].prompt:
        raise UserError("drawing-gone")
    return found
