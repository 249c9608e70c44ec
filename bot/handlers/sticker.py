"""/sticker, also as a reply to a sticker, in an edited message, and from a link."""

from __future__ import annotations

import hashlib

from bot.asking import ask
from bot.context import Context
from bot.draw_request import draw_words, replied_to
from bot.errors import UserError
from bot.tables import jobs, wishes


async def sticker(context: Context) -> None:
    """Draw the prompt in the current style. In a reply to a sticker, what is not said is as in that one."""
    model = await replied_to(context)
    if context.argument.strip() or model is not None:
        await draw_words(context, context.argument, origin=context.origin, model=model)
        return
    await ask(context, "sticker", 0, context.words("sticker-ask"), reply_to=_in_group(context))


async def draw(context: Context, text: str) -> None:
    """Draw what a text says."""
    await draw_words(context, text, origin=context.origin)


async def edited(context: Context) -> None:
    """An edited /sticker is drawn anew."""
    origin = await anew(context)
    await draw_words(context, context.argument, origin=origin, model=await replied_to(context))


async def anew(context: Context) -> str:
    """The origin of what an edited message asks for; what its old text has asked for is cancelled if it is not done."""
    origin = f"edit {context.message_key} {hashlib.sha256(context.written.encode()).hexdigest()[:8]}"
    if await jobs.by_origin(context.parts.store, context.person.id, origin) is None:
        for id in await jobs.active_of_message(context.parts.store, context.person.id, context.message_key):
            await context.parts.dispatch.cancel(context.person.id, id)
    return origin


async def wish_pressed(context: Context) -> None:
    """The button below a text that was no caption: draw it."""
    await context.answer("notice-drawing")
    await wished(context, context.data[0])


async def wished(context: Context, code: str) -> None:
    """Draw words that were kept for a button or a link."""
    words = await wishes.get(context.parts.store, context.person.id, code)
    if words is None:
        raise UserError("wish-gone")
    await draw_words(context, words, origin=context.origin)


def _in_group(context: Context) -> int | None:
    """The message to reply to, so that the others know who is meant."""
    return None if context.group is None else context.message.message_id
