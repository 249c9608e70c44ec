"""Answers to what the bot has asked for: a few words as the next text, or as a reply to the question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.asking import SURE, sure
from bot.command_words import says
from bot.context import Context
from bot.errors import KeepForLater, UserError
from bot.handlers import captions, drawings, imports, pack_stickers, packs, sticker, styles
from bot.locales import LANGUAGES
from bot.routes import command_in
from bot.tables import pack_items, questions
from bot.tables.questions import Question

Deed = Callable[[Context, Question, str], Awaitable[None]]
CANCELS = says("cancel")
HELPS = (says("help"), says("status"))  # who writes this has not understood the question
# After these, no answer helps.
GONE = ("drawing-gone", "style-gone", "pack-is-gone", "sticker-not-in-pack", "sample-gone")


async def answer(context: Context) -> bool:
    """Take a message as the answer to a question; False if it is none. After a wrong answer the question stays."""
    message, store = context.message, context.parts.store
    asked = await _asked(context)
    if asked is None or message.text is None:
        return False
    if _ends(asked, message.text):
        await _end(context, asked)
        await context.say("asked-ended")
        return True
    if asked.kind == SURE:
        return await _press_instead(context, asked, message.text)
    try:
        await KINDS[asked.kind](context, asked, message.text)
    except (KeepForLater, UserError) as error:
        if isinstance(error, KeepForLater) or error.key in GONE:
            await questions.answer(store, asked, message.message_id)
        raise
    await questions.answer(store, asked, message.message_id)
    await context.parts.sender.edit_buttons(context.chat, asked.message_id, [])
    return True


async def unask(context: Context) -> None:
    """The button below a question: the next text is no answer."""
    await sure(context)
    await context.replace(context.words("asked-ended"))


async def _asked(context: Context) -> Question | None:
    """The question that the message answers."""
    message, store, person = context.message, context.parts.store, context.person.id
    is_text = message.text is not None and command_in(message.text) is None
    if message.reply_to_message is None and any(asks(message.text or "") for asks in HELPS):
        return None
    if context.press or message.edit_date or message.forward_origin or not is_text:
        return None
    before = await questions.answered_by(store, person, context.chat, message.message_id)
    if before is not None:
        return before
    if (replied := message.reply_to_message) is not None:
        return await questions.of_message(store, person, context.chat, replied.message_id)
    return await questions.waiting(store, person) if context.group is None else None


def _ends(asked: Question, text: str) -> bool:
    """Whether a text ends the question; to "sure?" a no does that too."""
    no = ("sure-no-words",) if asked.kind == SURE else ()
    return CANCELS(text) or _is_one_of(text, "asked-end-words", *no)


async def _end(context: Context, asked: Question) -> None:
    await questions.answer(context.parts.store, asked, context.message.message_id)
    await context.parts.sender.edit_buttons(context.chat, asked.message_id, [])


async def _press_instead(context: Context, asked: Question, text: str) -> bool:
    """Say that a button does it, or that the question is open; False if it is not any more."""
    if asked.answer is not None:
        return False
    yes = _is_one_of(text, "sure-yes-words")
    await context.say("sure-press" if yes else "sure-open", reply_to=asked.message_id)
    return True


def _is_one_of(text: str, *keys: str) -> bool:
    """Whether a text is one of these words, in any language of the bot."""
    said = text.strip().strip(".!").casefold()
    return any(said in language.TEXTS[key].split() for language in LANGUAGES.values() for key in keys)


async def _new_pack(context: Context, asked: Question, text: str) -> None:
    await packs.make(context, text)


async def _pack_title(context: Context, asked: Question, text: str) -> None:
    await packs.retitle(context, await packs.mine(context, asked.id), text, asked.view)


async def _emoji(context: Context, asked: Question, text: str) -> None:
    await _of_item(context, asked, text, pack_stickers.emoji)


async def _keywords(context: Context, asked: Question, text: str) -> None:
    await _of_item(context, asked, text, pack_stickers.keywords)


async def _of_item(
    context: Context, asked: Question, text: str, deed: Callable[..., Awaitable[None]]
) -> None:
    item = await pack_items.get(context.parts.store, context.person.id, asked.id)
    if item is None:
        raise UserError("sticker-not-in-pack")
    await deed(context, item, text, asked.view)


async def _without(context: Context, asked: Question, text: str) -> None:
    await drawings.draw_like(context, asked.id, f"--no {text}")


async def _words(context: Context, asked: Question, text: str) -> None:
    await drawings.draw_like(context, asked.id, text)


async def _prompt(context: Context, asked: Question, text: str) -> None:
    await sticker.draw(context, text)


async def _new_style(context: Context, asked: Question, text: str) -> None:
    await styles.make(context, text.strip().lower())


async def _rename(context: Context, asked: Question, text: str) -> None:
    await styles.rename_to(context, await styles.mine(context, asked.id), text)


async def _caption(context: Context, asked: Question, text: str) -> None:
    await captions.give(context, asked.id, text)


async def _import(context: Context, asked: Question, text: str) -> None:
    await imports.take_named(context, text)


# What is done with the answer to each kind of question, a column of the table ``question``.
KINDS: dict[str, Deed] = {
    "new": _new_pack,
    "title": _pack_title,
    "emoji": _emoji,
    "keywords": _keywords,
    drawings.WITHOUT: _without,
    drawings.OTHER_WORDS: _words,
    "sticker": _prompt,
    "style": _new_style,
    "rename": _rename,
    "import": _import,
    "caption": _caption,
}
