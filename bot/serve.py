"""Runs the handler of an update and tells people about errors."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence

from telegram import CallbackQuery, Message, Update
from telegram.constants import ChatType

from bot.context import Context, Parts
from bot.errors import UserError
from bot.routes import Command, Kind, Route, command_of
from bot.tables import outbox, pack_questions, people
from bot.telling import telling
from bot.words import Words

log = logging.getLogger(__name__)

HELP = ("text-unclear",)  # errors that mean: nobody waits for this
DECLINE_SECONDS = 60.0  # between two answers to one group, which may get about 20 messages a minute


async def serve(parts: Parts, routes: Sequence[Route], update: Update) -> None:
    """Run the first handler whose route matches. A UserError is told to the person; others are raised."""
    if update.effective_chat is None or not isinstance(update.effective_message, Message):
        if update.callback_query is not None:
            await _explain_old(parts, update.callback_query)
        return
    user = update.effective_user
    if user is not None and not parts.access.admits(user.id, user.username):
        return  # banned after it was stored
    if update.effective_chat.type != ChatType.PRIVATE:
        await _decline(parts, update)
        return
    context = await Context.of(parts, update)
    may_use = [route for route in routes if context.is_admin or not route.admins_only]
    route = next((route for route in may_use if route.matches(update)), None)
    try:
        if isinstance(route, Command):
            await pack_questions.forget(parts.store, context.person.id)
        if route is not None:
            await route.handler(context)
        elif context.press is not None:
            await context.answer("notice-old-button")
    except UserError as error:
        if error.key in HELP:
            await context.say_once(error.key)
            return
        buttons = context.words.buttons(error.buttons) if error.buttons else None
        text = context.words(error.key, **error.params)
        await context.send(text, buttons=buttons, reply_to=_about(context))
    if isinstance(route, Command) and context.message.caption is not None:
        await _look_at_picture(context, routes, update, route)
    await context.answer()


async def apologise(parts: Parts, update: Update, error: BaseException | None) -> None:
    """An error of the bot: log the traceback, and send the person its reference number through the outbox."""
    number = secrets.token_hex(3)
    log.error(
        "update %d was given up, reference %s",
        update.update_id,
        number,
        exc_info=error,
        extra=telling("admin-update-given-up", number=number),
    )
    chat, user = update.effective_chat, update.effective_user
    if chat is not None and user is not None and chat.type == ChatType.PRIVATE:
        language = await people.language_of(parts.store, user.id, user.language_code or "en")
        text = Words(language)("sorry", number=number)
        await outbox.put(parts.store, chat.id, text)
        parts.outbox.wake(chat.id)


async def _explain_old(parts: Parts, press: CallbackQuery) -> None:
    """A button below a message that Telegram does not show to bots any more: say that it is too old."""
    language = await people.language_of(
        parts.store, press.from_user.id, press.from_user.language_code or "en"
    )
    await parts.sender.answer(press.id, Words(language).plain("notice-old-button"))


async def _decline(parts: Parts, update: Update) -> None:
    """In a group: answer commands once a minute, and nothing else."""
    assert update.effective_chat is not None
    chat, now = update.effective_chat.id, time.monotonic()
    if command_of(update) is None or update.effective_user is None:
        return
    if now - parts.declined.get(chat, float("-inf")) < DECLINE_SECONDS:
        return
    words = Words(update.effective_user.language_code or "en")
    await parts.sender.text(chat, words("private-only"))
    parts.declined[chat] = now


async def _look_at_picture(context: Context, routes: Sequence[Route], update: Update, done: Command) -> None:
    """A picture whose caption is a command: taken after /new, else its person is told that it was not taken."""
    if done.name != "new":
        await context.say("caption-command", reply_to=context.message.message_id)
        return
    picture = next((route for route in routes if isinstance(route, Kind) and route.matches(update)), None)
    if picture is not None:
        context.person = await people.get(context.parts.store, context.person.id)
        await picture.handler(context)


def _about(context: Context) -> int | None:
    """The message to reply to with an error: a picture. A command needs no reply, it was the last message."""
    message = context.message
    return message.message_id if context.press is None and not message.text else None
