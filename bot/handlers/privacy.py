"""/privacy, /forgetme: what is stored of a person, and how it is deleted."""

from __future__ import annotations

import time

from bot.asking import ask_surely, sure
from bot.context import Context
from bot.errors import UserError
from bot.tables import erasures, packs

CONFIRM_SECONDS = 3600.0  # so long the button that deletes everything works


async def privacy(context: Context) -> None:
    """What is stored, how long, who sees it, and how to delete it."""
    await context.say("privacy", days=context.parts.config.storage.keep_days)


async def forget(context: Context) -> None:
    """Ask before everything is deleted; with a second button if there are packs on Telegram."""
    buttons = [[("button-forget", "forget:rows")]]
    if await packs.all_of(context.parts.store, context.person.id):
        buttons.append([("button-forget-packs", "forget:packs")])
    await ask_surely(context, context.words("forget-sure"), context.words.buttons(buttons))


async def forget_pressed(context: Context) -> None:
    """Delete everything."""
    if time.time() - context.message.date.timestamp() > CONFIRM_SECONDS:
        raise UserError("forget-late")
    await sure(context)
    await context.answer("notice-forgetting")
    await erasures.ask(
        context.parts.store,
        person=context.person.id,
        language=context.person.language,
        message_id=context.message.message_id,
        with_packs=context.data[0] == "packs",
    )
    await context.parts.erasing.begin(context.person.id)
