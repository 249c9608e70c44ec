"""One update to its handler, and the one place that says what went wrong."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from telegram import Message, Update
from telegram.constants import ChatType

from bot.context import Context, Parts
from bot.errors import UserError
from bot.routes import Route, command_of
from bot.words import Words

log = logging.getLogger(__name__)


async def serve(parts: Parts, routes: Sequence[Route], update: Update) -> None:
    """Run the first handler whose route matches. What people can mend is told to them; the rest is raised."""
    if update.effective_chat is None or not isinstance(update.effective_message, Message):
        if update.callback_query is not None:  # of a message that is gone
            await parts.sender.answer(update.callback_query.id)
        return
    if update.effective_chat.type != ChatType.PRIVATE:
        await _decline(parts, update)
        return
    context = await Context.of(parts, update)
    route = next((route for route in routes if route.matches(update)), None)
    try:
        if route is not None:
            await route.handler(context)
    except UserError as error:
        buttons = context.words.buttons(error.buttons) if error.buttons else None
        text = context.words(error.key, **error.params)
        await context.send(text, buttons=buttons, reply_to=_about(context))
    await context.answer()


async def apologise(parts: Parts, update: Update, error: BaseException | None) -> None:
    """The bot's own fault: the log gets the traceback, the person a number to name."""
    number = secrets.token_hex(3)
    log.error("update %d was given up, reference %s", update.update_id, number, exc_info=error)
    chat, user = update.effective_chat, update.effective_user
    if chat is not None and user is not None and chat.type == ChatType.PRIVATE:
        await parts.sender.text(chat.id, Words(user.language_code or "en")("sorry", number=number))


async def _decline(parts: Parts, update: Update) -> None:
    """In a group: a polite word to who gives a command, silence to all else."""
    assert update.effective_chat is not None
    if command_of(update) and update.effective_user is not None:
        words = Words(update.effective_user.language_code or "en")
        await parts.sender.text(update.effective_chat.id, words("private-only"))


def _about(context: Context) -> int | None:
    """Which message an error is about: a picture among many. A command is the last thing said anyway."""
    message = context.message
    return message.message_id if context.press is None and not message.text else None
