"""Looking at the processes from beside them: until something happens, and at the bot's rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.journeys.bot_process import BotProcess
from tests.journeys.visitor import PATIENCE


async def until(happened: Callable[[], bool]) -> None:
    """Look often until something has happened."""
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)


def rows(bot: BotProcess, query: str) -> list[tuple[object, ...]]:
    """What the bot's database says, read beside it."""
    with closing(sqlite3.connect(f"file:{bot.storage / 'bot.sqlite'}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()
