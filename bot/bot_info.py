"""What Telegram shows of the bot in each language: its commands, its descriptions and, if wished, its name."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from telegram import Bot, BotCommand
from telegram.error import RetryAfter, TelegramError

from bot.handlers import MENU
from bot.locales import LANGUAGES
from bot.store import Store
from bot.tables import settings
from bot.waiting import pause_after, seconds
from bot.words import Words

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0  # info that is set later is no reason to answer nobody
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to set. ``key`` and ``value`` remember what was set, ``call`` sets it."""

    key: str
    value: str
    call: Callable[[], Awaitable[bool]]


async def set_bot_info(bot: Bot, store: Store, name: str) -> None:
    """Set what has changed since it was set last: these methods have long rate limits.

    ``name`` "" leaves the bot's name as its owner has set it.
    """
    setting = f"info of bot {bot.id}"
    done = await settings.read(store, setting) or {}
    for item in _items(bot, name):
        if done.get(item.key) == item.value:
            continue
        if not await _set(item):
            return
        done[item.key] = item.value
        await settings.write(store, setting, done)


def _items(bot: Bot, name: str) -> list[Item]:
    """Everything to set. What is set for English is shown to all whose language has nothing of its own."""
    found = []
    for code in LANGUAGES:
        words, shown_to = Words(code), None if code == "en" else code
        menu = [(command, words.plain(f"menu-{command}")) for command in MENU]
        commands = partial(
            bot.set_my_commands, [BotCommand(*entry) for entry in menu], language_code=shown_to
        )
        long, short = words.plain("description"), words.plain("short-description")
        found += [
            Item(key=f"{code} commands", value=json.dumps(menu), call=commands),
            Item(
                key=f"{code} description",
                value=long,
                call=partial(bot.set_my_description, long, language_code=shown_to),
            ),
            Item(
                key=f"{code} short description",
                value=short,
                call=partial(bot.set_my_short_description, short, language_code=shown_to),
            ),
        ]
    return [*found, Item(key="name", value=name, call=partial(bot.set_my_name, name))] if name else found


async def _set(item: Item) -> bool:
    """Whether it could be set; if not, a later start tries again."""
    for number in range(TRIES):
        try:
            return await item.call()
        except TelegramError as error:
            if isinstance(error, RetryAfter) and seconds(error.retry_after) > PATIENCE_SECONDS:
                log.warning("the bot's %s stays as it is until the next start: %s", item.key, error)
                return False
            await asyncio.sleep(pause_after(error, number))
    log.warning("the bot's %s could not be set; it stays as it is until the next start", item.key)
    return False
