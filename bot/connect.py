"""The first calls to Telegram at the start. Everything but a wrong token is waited out."""

from __future__ import annotations

import asyncio
import logging

from telegram import Bot, BotCommand
from telegram.error import InvalidToken, RetryAfter, TelegramError

from bot.errors import ConfigError
from bot.handlers import MENU
from bot.locales import LANGUAGES
from bot.poll import describe
from bot.secret import VARIABLE
from bot.state_log import StateLog
from bot.waiting import pause_after, seconds
from bot.words import Words

log = logging.getLogger(__name__)

MENU_PATIENCE_SECONDS = 10.0  # a menu that is set later is no reason to answer nobody


async def connect(bot: Bot) -> None:
    """Wait for Telegram, then say how updates are fetched and what the menu holds. Raises ConfigError."""
    state, number = StateLog(log, "Telegram can be reached"), 0
    while True:
        try:
            await bot.initialize()
            await bot.delete_webhook(drop_pending_updates=False)  # what came while the bot was down counts
            break
        except InvalidToken as error:
            # The library's own error holds the token.
            raise ConfigError(
                f"Telegram does not know the token in {VARIABLE}; ask @BotFather for it"
            ) from error
        except TelegramError as error:
            state.fails(*describe(error))
            await asyncio.sleep(pause_after(error, number + 2))
            number += 1
    state.works()
    await _set_menu(bot)


async def _set_menu(bot: Bot) -> None:
    for name in LANGUAGES:
        words = Words(name)
        menu = [BotCommand(command, words.plain(f"menu-{command}")) for command in MENU]
        for number in range(3):
            try:
                await bot.set_my_commands(menu, language_code=None if name == "en" else name)
                break
            except TelegramError as error:
                if isinstance(error, RetryAfter) and seconds(error.retry_after) > MENU_PATIENCE_SECONDS:
                    log.warning("the menu stays as it is until the next start: %s", error)
                    return
                await asyncio.sleep(pause_after(error, number))
        else:
            log.warning("the menu could not be set; it stays as it is until the next start")
            return
