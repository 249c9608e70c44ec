"""Groups: the bot draws there for whoever asks. What is private is done in the private chat."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from bot.context import Context
from bot.draw_request import draw_words, replied_to
from bot.errors import Buttons, UserError
from bot.handlers import answers, texts
from bot.polite_words import small_talk
from bot.tables import drawings, jobs

DECLINE_SECONDS = (
    60.0  # between two answers of one kind to one group, which may get about 20 messages a minute
)
PARAMETER = "group"  # of /start: from a group

Handler = Callable[[Context], Awaitable[None]]


async def help(context: Context) -> None:
    """What the bot does in a group. Once a minute."""
    await _seldom(context, "group-help")


async def privately(context: Context) -> None:
    """A command for the private chat: a button that opens it. Once a minute."""
    await _seldom(context, "group-private")


async def reply(context: Context) -> None:
    """A text that replies to one of the bot's stickers or questions. Other replies are talk, as "thanks!" is."""
    if await answers.answer(context):
        return
    model = await replied_to(context)
    if model is not None and context.message.text and not small_talk(context.message.text):
        await draw_words(context, context.message.text, origin=context.origin, model=model)


async def edited(context: Context) -> None:
    """An edited reply that has asked for a drawing is drawn anew; other edits are talk."""
    if not small_talk(context.written):
        await texts.redraw(context)


async def cancel(context: Context) -> None:
    """End the job of this button, if it is the person's own."""
    job = await jobs.get(context.parts.store, int(context.data[0]))
    if job is None or job.person != context.person.id:
        raise UserError("not-yours")
    await context.answer("notice-cancelling")
    await context.parts.dispatch.cancel(context.person.id, job.id)
    context.parts.deliver.wake(context.person.id)


def own(handler: Handler) -> Handler:
    """A handler of buttons below a sticker that works for the person alone who has asked for the sticker."""

    async def checked(context: Context) -> None:
        if await drawings.get(context.parts.store, context.person.id, int(context.data[0])) is None:
            raise UserError("not-yours")
        await handler(context)

    return checked


def own_job(handler: Handler) -> Handler:
    """The same for buttons whose data begins with a job."""

    async def checked(context: Context) -> None:
        job = await jobs.get(context.parts.store, int(context.data[0]))
        if job is None or job.person != context.person.id:
            raise UserError("not-yours")
        await handler(context)

    return checked


async def tell(context: Context, error: UserError) -> None:
    """Tell an error: of a press as a notice to who has pressed, else as a reply. Buttons are for the private chat."""
    text = context.words(error.key, **error.params)
    if context.press is not None:
        await context.notice(re.sub("<[^>]*>", "", context.words.plain(error.key, **error.params)))
        return
    buttons = _to_private(context) if error.buttons else None
    await context.send(text, buttons=buttons, reply_to=context.message.message_id)


async def _seldom(context: Context, key: str) -> None:
    now, kind = time.monotonic(), (context.chat, key)
    if now - context.parts.declined.get(kind, float("-inf")) >= DECLINE_SECONDS:
        context.parts.declined[kind] = now
        await context.say(key, buttons=_to_private(context), reply_to=context.message.message_id)


def _to_private(context: Context) -> Buttons:
    return [[(context.words.plain("button-private"), context.parts.sender.link(PARAMETER))]]
