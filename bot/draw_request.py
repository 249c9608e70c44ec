"""Asks for a drawing: from words that a person wrote, or like an earlier one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from bot import sticker_options
from bot.config import MOST_PICTURES
from bot.context import Context
from bot.english import English, in_english, nothing_known
from bot.errors import UserError
from bot.left_out import leave_out
from bot.looks import Look, look_of, ready_look
from bot.polite_words import without_politeness
from bot.quotas import check_drawing
from bot.reply_words import added, asks_again, removal_as_without, wanted_again
from bot.sticker_options import MAX_SEED, StickerRequest
from bot.tables import drawings, jobs, styles
from bot.tables.jobs import Job
from bot.tables.styles import Style
from bot.undrawn_words import listed
from bot.words import clip
from lora.data import captions
from lora.data.translation import negative
from lora.jobs import NO_OUTLINE, DrawOptions

OUTLINES = ("outline", "outlines", "border", "borders", "frame")  # that of the sticker, as people call it


@dataclass(frozen=True, kw_only=True)
class Model:
    """An earlier drawing whose prompt, options and style are taken where a text gives no others."""

    prompt: English = field(repr=False)
    options: DrawOptions
    person: int
    style: int | None
    bare: bool  # drawn by the base alone

    @classmethod
    def of(cls, job: Job, position: int = 0) -> Model:
        """One of a job's pictures as it would be drawn alone."""
        prompt = English(text=job.prompt, original=job.prompt_original, unknown=job.prompt_unknown)
        if job.keyword:
            prompt = replace(prompt, text=captions.without_keyword(job.prompt, job.keyword))
        return cls(
            prompt=prompt,
            options=job.options.of_picture(position),
            person=job.person,
            style=job.style,
            bare=job.adapter is None,
        )


async def draw_words(context: Context, text: str, *, origin: str, model: Model | None = None) -> None:
    """Draw what a text says, in the style that it names, else in the model's, else in the person's current one.

    The model of another person gives no style. Raises UserError.
    """
    request = _read(context, text, model)
    said = " ".join(request.prompt.split())
    request = replace(request, prompt=without_politeness(request.prompt))
    if not request.prompt and model is None:
        raise UserError("sticker-usage")
    parts = negative.split(request.prompt, context.person.writes_in)
    if not parts.wanted and model is None:
        if not parts.said_no:
            raise UserError("sticker-only-without", words=clip(request.prompt, 60))
        parts = negative.Parts(wanted=request.prompt)  # "no worries"
    style, bare = await _style(context, request.style, model)
    keyword, language = style.keyword if style else "", context.person.writes_in
    if model is not None:
        things = [one.text for one in _left_out(request, parts, keyword, language)]
        model = replace(model, prompt=leave_out(model.prompt, things, language))
    if parts.wanted:
        prompt = _prompt(parts.wanted, keyword, language, model)
    else:
        assert model is not None
        prompt = model.prompt
    if model and request.without is None:
        request = replace(request, options=wanted_again(request.options, prompt))
    options, unknown = _without(request, parts, keyword, language)
    if parts.wanted or parts.things:
        alone = prompt.original == " ".join(parts.wanted.split())
        options = replace(options, prompt_written=said if parts.things and alone else "")
        prompt = replace(prompt, original=said) if alone and not parts.things else prompt
    prompt = replace(prompt, unknown=", ".join(filter(None, (prompt.unknown, *unknown))))
    await ask(context, prompt, options, style, bare=bare, origin=origin)


def _read(context: Context, text: str, model: Model | None) -> StickerRequest:
    """The prompt and options of a text; "another one" in reply to the model has another seed. Raises UserError."""
    settings, language = context.parts.config.sticker, context.person.writes_in
    if model is None:
        options = sticker_options.defaults(settings, seed=random_seed())
        return sticker_options.read(text, settings, options, language)
    text = removal_as_without(sticker_options.outline_first(text, language))
    request = sticker_options.read(text, settings, model.options, language)
    if not asks_again(in_english(request.prompt, "", language)):
        return request
    options = request.options
    if (options.seed, options.near) == (model.options.seed, model.options.near):
        options = replace(options, seed=random_seed(), near=())
    return replace(request, prompt="", options=options)


def _prompt(written: str, keyword: str, language: str, model: Model | None) -> English:
    """What is drawn for a prompt, in reply to the model if there is one. Raises UserError."""
    prompt = in_english(written, keyword, language)
    if nothing_known(written, prompt) or not any(map(str.isalnum, prompt.text)):
        raise UserError("prompt-unknown", words=clip(prompt.unknown or written))
    return added(model.prompt, prompt) if model else prompt


def _without(
    request: StickerRequest, parts: negative.Parts, keyword: str, language: str
) -> tuple[DrawOptions, list[str]]:
    """The options with the whole negative prompt, and its words that nobody knows.

    It is that of ``--no`` and that of words like "without a hat". To a reply of such words alone, the drawing's own
    negative prompt is added. "Without an outline" is about the sticker's.
    """
    options, found = request.options, _left_out(request, parts, keyword, language)
    if any(_of_outline(thing) for thing in parts.things):
        options = replace(options, outline=NO_OUTLINE, outline_written="")
    if request.without is None and found and not parts.wanted and options.negative_prompt:
        found = [English(text=options.negative_prompt, original=options.negative_written), *found]
    if not found:
        return options, []
    text = ", ".join(one.text for one in found)
    written = ", ".join(one.original or one.text for one in found)
    options = replace(options, negative_prompt=text, negative_written=written if written != text else "")
    return options, [one.unknown for one in found]


def _left_out(request: StickerRequest, parts: negative.Parts, keyword: str, language: str) -> list[English]:
    """What the text itself leaves out, the sticker's outline aside."""
    found = []
    if request.without is not None:
        again = negative.split(request.without, language)  # "--no" and then "without a hat"
        found = [in_english(again.wanted, keyword, language), *map(_english, again.things)]
    found += [_english(thing) for thing in parts.things if not _of_outline(thing)]
    return [one for one in found if one.text]


def _of_outline(thing: negative.Thing) -> bool:
    return thing.english.endswith(OUTLINES)


def _english(thing: negative.Thing) -> English:
    return English(text=thing.english, original=thing.written, unknown=", ".join(thing.unknown))


async def _style(context: Context, name: str | None, model: Model | None) -> tuple[Style | None, bool]:
    """The style to draw in, and whether the base shall draw alone."""
    if name:
        return await style_called(context, name), False
    if model is not None and model.person == context.person.id:
        style = await styles.usable(context.parts.store, context.person.id, model.style)
        if style is not None or model.style is None:
            return style, model.bare
    return await current_style(context), False


async def ask(
    context: Context,
    english: English,
    options: DrawOptions,
    style: Style | None,
    *,
    bare: bool = False,
    origin: str,
) -> None:
    """Insert the draw. ``bot/looks.py`` says with what it is drawn, and a note tells it; ``bare``: the base alone."""
    store = context.parts.store
    if await jobs.by_origin(store, context.person.id, origin):
        return  # this message was handled before, and then the bot was killed
    if listed(english, context.parts.config.safety.words_file):
        raise UserError("prompt-undrawn")
    look = Look() if bare else look_of(context, style)
    if look.note == "note-untrained" and style and await jobs.trains(store, style.id):
        look = replace(look, note="note-training")
    if look.note == "note-ready" and (own := await styles.all_of(store, context.person.id)):
        training = any([await jobs.trains(store, one.id) for one in own])
        look = replace(look, note="note-ready-training" if training else "note-ready-own")
    prompt = captions.without_punctuation(captions.normalise(english.text)) or english.text
    if look.lent:
        prompt = captions.without_keyword(prompt, look.name) or prompt
    _check_length(captions.length(prompt, look.word))
    _check_length(captions.length(options.negative_prompt, background=""))
    if look.keyword:
        prompt = captions.with_keyword(prompt, look.keyword)
    await check_drawing(context, options.count)
    await jobs.ask_draw(
        store,
        person=context.person.id,
        origin=origin,
        style=look.style,
        adapter=look.adapter,
        keyword=look.keyword,
        prompt=prompt,
        prompt_original=english.original,
        prompt_unknown=english.unknown,
        lent_keyword=look.lent_keyword,
        lent_name=look.name if look.lent else "",
        trained_as=look.trained_as,
        options=options,
        note=look.note,
        chat=context.group,
    )
    wake(context)


def wake(context: Context) -> None:
    """There is a new job."""
    context.parts.dispatch.wake()
    context.parts.deliver.wake(context.person.id)


async def replied_to(context: Context) -> Model | None:
    """The drawing that the person's message replies to, or the first one of a job's message; None if to neither."""
    replied, store = context.message.reply_to_message, context.parts.store
    if replied is None:
        return None
    if (found := await drawings.by_message(store, context.chat, replied.message_id)) is not None:
        return Model.of(found[1], found[0].position) if found[1].prompt else None
    job = await jobs.by_message(store, context.chat, replied.message_id)
    return Model.of(job) if job is not None and job.prompt else None


async def current_style(context: Context) -> Style | None:
    """The style that the person draws in, None if there is none."""
    return await styles.usable(context.parts.store, context.person.id, context.person.style)


async def style_called(context: Context, name: str) -> Style | None:
    """The style of this name that the person may draw in; None is the ready-made one.

    Raises UserError, which lists the names.
    """
    store, person, ready = context.parts.store, context.person.id, ready_look(context)
    if (style := await styles.by_keyword(store, person, name.lower())) is not None:
        return style
    if ready is not None and name.lower() == ready.word:
        return None
    found = await styles.all_of(store, person) + await styles.lent_to(store, person)
    names = [one.keyword for one in found] + ([ready.word] if ready else [])
    if not names:
        raise UserError("no-style")
    if context.group is not None:  # where the names of a person's styles are nobody's business
        raise UserError("option-style-private", name=clip(name, 40))
    raise UserError("option-style-unknown", name=clip(name, 40), names=", ".join(names))


def random_seed() -> int:
    """For a drawing that nobody has asked a seed for. There is room behind it for those of several pictures."""
    return random.randrange(MAX_SEED - MOST_PICTURES)


def _check_length(length: captions.Length) -> None:
    if not length.fits:
        raise UserError("prompt-too-long", tokens=length.tokens, room=length.room)
