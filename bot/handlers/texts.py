"""Texts without a command: what to change of a drawing, options of a drawing, else a caption."""

from __future__ import annotations

from bot import sticker_options
from bot.context import Context
from bot.draw_request import Model, draw_words, replied_to
from bot.errors import UserError
from bot.handlers import captions, drawings, sticker
from bot.handlers.drawings import OTHER_WORDS, WITHOUT
from bot.looks import ready_look
from bot.polite_words import small_talk, without_politeness
from bot.sample_lines import numbers_first
from bot.tables import drawings as drawing_rows
from bot.tables import jobs, questions, wishes
from bot.words import clip
from lora.data.captions import normalise

BUTTON = 30  # characters of the words in the button's label


async def text(context: Context) -> None:
    """In reply to a drawing, or only options: the change of a drawing. A prompt with options is drawn."""
    words = context.message.text or ""
    model = await replied_to(context)
    if model is None and sticker_options.has_options(words):
        model = (
            None if sticker_options.has_prompt(words, context.person.writes_in) else await _newest(context)
        )
    elif model is None:
        await _caption(context, words)
        return
    if model is not None and (key := small_talk(words)):
        raise UserError(key)
    await draw_words(context, words, origin=context.origin, model=model)


async def edited(context: Context) -> None:
    """An edited text that has asked for a drawing is drawn anew. Other edits are about captions."""
    if not await redraw(context):
        await captions.edited(context)


async def redraw(context: Context) -> bool:
    """Draw an edited text anew: a prompt, a reply to a drawing, or an answer; False if it asked for no drawing."""
    words, store, person = context.message.text or "", context.parts.store, context.person.id
    if not words or words.startswith("/"):
        return False
    if (before := await jobs.of_message(store, person, context.message_key)) is None:
        return False
    if key := small_talk(words):
        raise UserError(key)
    origin = await sticker.anew(context)
    asked = await questions.answered_by(store, person, context.chat, context.message.message_id)
    if asked is not None and asked.kind in (WITHOUT, OTHER_WORDS):
        changed = f"--no {words}" if asked.kind == WITHOUT else words
        await drawings.draw_like(context, asked.id, changed, origin)
        return True
    model = await replied_to(context)
    if model is None and not sticker_options.has_prompt(words, context.person.writes_in):
        model = Model.of(before)
    await draw_words(context, words, origin=origin, model=model)
    return True


async def _newest(context: Context) -> Model | None:
    """The person's newest drawing in this chat."""
    found = await drawing_rows.newest(context.parts.store, context.person.id)
    return Model.of(found[1], found[0].position) if found else None


async def _caption(context: Context, words: str) -> None:
    """Take words as a caption; where none is wanted, offer to draw them."""
    try:
        await captions.text(context)
    except UserError as error:
        key = _offer(context, error.key)
        if key is None:
            raise
        if (talk := small_talk(words)) is not None:
            raise UserError("talk-else" if talk == "talk-changes" else talk) from error
        if not any(map(str.isalnum, normalise(words))):  # an emoji has a name, "???" says nothing to draw
            raise UserError("sticker-usage") from error
        code = await wishes.put(context.parts.store, context.person.id, words)
        draw = context.words.plain(
            "button-draw-words", words=clip(" ".join(without_politeness(words).split()), BUTTON)
        )
        text = " ".join([context.words(key, **error.params), *await _by_number(context, words, key)])
        await context.send(text, buttons=[[(draw, f"wish:{code}")]])


async def _by_number(context: Context, words: str, key: str) -> list[str]:
    """How to say that "14 key" is meant for picture 14, if there is such a picture."""
    first = numbers_first(words)
    if key != "text-unclear" or len(first) != 1:
        return []
    number, caption = next(iter(first.items()))
    if not 1 <= number <= (await context.style()).samples:
        return []
    return [context.words("number-not-taken", number=number, words=clip(caption, 40))]


def _offer(context: Context, key: str) -> str | None:
    """The text that offers to draw, in place of an error; None if it is another kind of error."""
    if key == "no-style":
        return "words-no-style-ready" if ready_look(context) else "words-no-style-bare"
    return key if key in ("style-lent", "text-unclear") else None
