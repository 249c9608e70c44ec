"""The first calls to Telegram at the start. Everything but a wrong token is waited out."""

from __future__ import annotations

import asyncio
import logging

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bot.bot_info import set_bot_info
from bot.config import Telegram
from bot.errors import ConfigError
from bot.poll import describe
from bot.secret import VARIABLE
from bot.state_log import StateLog
from bot.store import Store
from bot.waiting import pause_after

log = logging.getLogger(__name__)


async def connect(bot: Bot, store: Store, settings: Telegram) -> None:
    """Wait for Telegram, then say how updates are fetched and what the bot shows of itself. Raises ConfigError."""
    state, number = StateLog(log, "Telegram can be reached"), 0
    while True:
        try:
            await bot.initialize()
            if not settings.webhook_url:
                await bot.delete_webhook(
                    drop_pending_updates=False
                )  # what came while the bot was down counts
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
    await set_bot_info(bot, store, settings.name)
