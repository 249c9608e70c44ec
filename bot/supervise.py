"""The one place that starts the bot's long-lived tasks. The death of one is logged and answered."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping

from bot.errors import ConfigError
from bot.telling import telling
from bot.waiting import waiting_helps

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a dead task is started again; doubled each time
STEADY_AFTER = 60.0  # after a task that lived this many seconds the first pause applies again

Work = Callable[[], Awaitable[None]]


async def run_all(works: Mapping[str, Work]) -> None:
    """Run all of ``works`` side by side until cancelled. If one of them raises, all are ended and it is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for name, work in works.items():
                group.create_task(_run(work), name=name)
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


async def _run(work: Work) -> None:
    await work()


async def keep_running(name: str, work: Work) -> None:
    """Run ``work`` again whenever it dies, after a pause that doubles as long as it dies soon.

    Raises ConfigError if it does, or if the database is damaged: neither is mended by another try.
    """
    pause, logged = FIRST_PAUSE, ""
    while True:
        began = time.monotonic()
        try:
            await work()
            error: Exception | None = None
        except ConfigError:
            raise
        except Exception as caught:
            if is_damage(caught):
                raise ConfigError(f"the database is damaged ({caught}); restore it from a backup") from caught
            error = caught
        if time.monotonic() - began > STEADY_AFTER:
            pause, logged = FIRST_PAUSE, ""
        if (kind := type(error).__name__) != logged:
            logged = kind
            shown = error if error is not None and not waiting_helps(error) else None
            log.error(
                "%s died of %s and is started again",
                name,
                kind,
                exc_info=shown,
                extra=telling("admin-part-died", part=name, error=kind),
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that the file is no whole database."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in damaged


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """One error of a group: a ConfigError if there is one, else the first."""
    flat = [*_flat(errors)]
    return next((error for error in flat if isinstance(error, ConfigError)), flat[0])


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [one for part in error.exceptions for one in _flat(part)]
    return [error]
