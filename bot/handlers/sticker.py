"""/sticker, also as a reply to a sticker, in an edited message, and from a link."""

from __future__ import annotations

import hashlib

from bot.context import Context
from bot.draw_request import draw_words, replied_to
from bot.errors import UserError
from bot.tables import jobs, wishes


async def sticker(context: Context) -> None:
    """Draw the prompt in the current style. In a reply to a sticker, what is not said is as in that one."""
    await draw_words(context, context.argument, origin=context.origin, model=await replied_to(context))


async def edited(context: Context) -> None:
    """An edited /sticker is drawn anew; what its old text has asked for is cancelled if it is not done."""
    text = context.message.text or ""
    origin = f"edit {context.message_key} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if await jobs.by_origin(context.parts.store, context.person.id, origin) is None:
        for id in await jobs.active_of_message(context.parts.store, context.person.id, context.message_key):
            await context.parts.dispatch.cancel(context.person.id, id)
    await draw_words(context, context.argument, origin=origin, model=await replied_to(context))


async def wished(context: Context, code: str) -> None:
    """Draw the words of an inline query whose button was pressed."""
    words = await wishes.get(context.parts.store, context.person.id, code)
    if words is None:
        raise UserError("wish-gone")
    await draw_words(context, words, origin=context.origin)
