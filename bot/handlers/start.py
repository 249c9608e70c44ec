"""/start, /help, and the answers to messages that the bot cannot use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from difflib import get_close_matches

from bot import start_links
from bot.command_words import command_named, named
from bot.context import Context
from bot.handlers import sharing, sticker
from bot.tables import pack_stickers, styles
from bot.words import Html


async def start(context: Context) -> None:
    """/start, alone or with what a link has put behind it."""
    if await pack_stickers.started(context.parts.store, context.person.id):
        context.parts.packs.wake(context.person.id)
    found = start_links.read(context.argument)
    come_in = LINKS.get(found[0], _welcome_by_link) if found else _welcome_by_link
    await come_in(context, found[1] if found else "")


async def _welcome_by_link(context: Context, token: str) -> None:
    """A welcome with the next step. An invite has let its person in before (``bot.access``)."""
    known = await styles.all_of(context.parts.store, context.person.id)
    await context.say("start-again" if known else "start", name=context.person.name)


async def help(context: Context) -> None:
    """All commands, each with an example."""
    least, most = context.parts.config.train.advised_samples
    sender, count = context.parts.sender, context.parts.config.sticker.max_count
    inline = Html(context.words("help-inline", bot=sender.username) if sender.answers_inline else "")
    await context.say("help", least=least, most=most, count=count, inline=inline)
    if context.is_admin:
        await context.say("help-admin")


async def unknown(context: Context) -> None:
    """Answer a command that does not exist, with the one that was probably meant."""
    from bot.handlers import COMMANDS

    written = context.written.split()[0].lstrip("/").partition("@")[0].lower()
    if close := get_close_matches(written, [*COMMANDS, *named()], n=1):
        await context.say("unknown-command-meant", meant=command_named(close[0]))
        return
    await context.say_once("unknown-command")


async def nothing(context: Context) -> None:
    """Service messages such as a pinned message: no answer."""


async def other(context: Context) -> None:
    """A message of a kind that the bot cannot use, such as a voice message or a poll."""
    await context.say_once("cannot-use")


# What a link does, by its prefix; any other /start is a welcome.
LINKS: dict[str, Callable[[Context, str], Awaitable[None]]] = {
    start_links.INVITE: _welcome_by_link,
    start_links.STYLE: sharing.open_link,
    start_links.WISH: sticker.wished,
}
