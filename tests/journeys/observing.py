"""Waits until something happens in the processes, and reads the bot's database from another process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.journeys.bot_process import BotProcess
from tests.waiting import until_async


async def until(happened: Callable[[], bool]) -> None:
    """Look often until something has happened."""
    await until_async(happened)


def rows(bot: BotProcess, query: str) -> list[tuple[object, ...]]:
    """What the bot's database says, read beside it."""
    with closing(sqlite3.connect(f"file:{bot.storage / 'bot.sqlite'}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()
