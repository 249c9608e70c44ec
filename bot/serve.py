"""Runs the handler of an update and tells people about errors."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from telegram import CallbackQuery, Message, Update
from telegram.constants import ChatType

from bot.context import Context, Parts
from bot.errors import UserError
from bot.handlers import answers, groups, inline, start
from bot.routes import Command, Kind, Route, is_for
from bot.tables import outbox, people, questions
from bot.telling import telling
from bot.words import Words

log = logging.getLogger(__name__)


async def serve(parts: Parts, routes: Sequence[Route], group_routes: Sequence[Route], update: Update) -> None:
    """Run the first handler whose route matches. A UserError is told to the person; others are raised."""
    if update.inline_query is not None:
        await inline.answer(parts, update.inline_query)
        return
    if update.effective_chat is None or not isinstance(update.effective_message, Message):
        if update.callback_query is not None:
            await _explain_old(parts, update.callback_query)
        return
    user = update.effective_user
    if user is not None and not parts.access.admits(user.id, user.username):
        return  # banned after it was stored
    via = update.effective_message.via_bot
    if via is not None and update.callback_query is None and via.username == parts.sender.username:
        return  # a sticker that the person has sent by an inline query
    if update.edited_message is not None and await _from_before(parts, update.edited_message):
        return
    if update.effective_chat.type != ChatType.PRIVATE:
        await _serve_group(parts, group_routes, update)
        return
    if user is None:
        return  # Telegram names the writer of every private message
    context = await Context.of(parts, update)
    may_use = [route for route in routes if context.is_admin or not route.admins_only]
    route = next((route for route in may_use if route.matches(update)), None)
    try:
        if await answers.answer(context):
            return
        await _end_question(context, route)
        if route is not None:
            await route.handler(context)
        elif context.press is not None:
            await context.answer("notice-old-button")
    except UserError as error:
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


async def _from_before(parts: Parts, message: Message) -> bool:
    """Whether a message is older than all that is known of its person: they had everything deleted since."""
    known = await people.find(parts.store, message.from_user.id) if message.from_user else None
    return known is None or message.date.timestamp() < known.since


async def _explain_old(parts: Parts, press: CallbackQuery) -> None:
    """A button below a message that Telegram does not show to bots any more: say that it is too old."""
    language = await people.language_of(
        parts.store, press.from_user.id, press.from_user.language_code or "en"
    )
    await parts.sender.answer(press.id, Words(language).plain("notice-old-button"))


async def _serve_group(parts: Parts, routes: Sequence[Route], update: Update) -> None:
    """In a group: what the routes say, and silence. Only who makes use of the bot becomes a person of it."""
    message, user = update.effective_message, update.effective_user
    route = next((route for route in routes if route.matches(update)), None)
    if user is None or user.is_bot or not isinstance(message, Message):
        return
    if message.sender_chat is not None and update.callback_query is None:
        return  # a channel's post in its group: Telegram names an account of its own as the writer
    if route is None or not is_for(message.text or message.caption or "", parts.sender.username):
        if update.callback_query is not None:
            await parts.sender.answer(update.callback_query.id)
        return
    context = await Context.of(parts, update)
    try:
        await route.handler(context)
    except UserError as error:
        await groups.tell(context, error)
    await context.answer()


async def _look_at_picture(context: Context, routes: Sequence[Route], update: Update, done: Command) -> None:
    """A picture whose caption is a command: taken after /new, else its person is told that it was not taken.

    A voice message, say, is no picture.
    """
    picture = next((route for route in routes if isinstance(route, Kind) and route.matches(update)), None)
    if picture is None or picture.handler is start.other:
        return
    if done.name != "new":
        await context.say("caption-command", reply_to=context.message.message_id)
        return
    context.person = await people.get(context.parts.store, context.person.id)
    await picture.handler(context)


async def _end_question(context: Context, route: Route | None) -> None:
    """A message that answers no question ends it. /cancel does that itself, and says so."""
    new = context.press is None and context.message.edit_date is None
    if new and not (isinstance(route, Command) and route.name == "cancel"):
        await questions.end(context.parts.store, context.person.id)


def _about(context: Context) -> int | None:
    """The message to reply to with an error: a picture. A command needs no reply, it was the last message."""
    message = context.message
    return message.message_id if context.press is None and not message.text else None
