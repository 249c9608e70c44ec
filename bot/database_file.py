"""Care of the database's file: checks it, and gives the space of deleted rows back to the disk.

A new file has ``auto_vacuum = INCREMENTAL``, so that free pages can be given back in small steps, between which
everybody is served. An older file gets it by one VACUUM, which writes the whole file anew: only if that pays.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from bot.store import Store
from bot.telling import telling
from bot.waiting import file_is_busy

log = logging.getLogger(__name__)

INCREMENTAL = 2  # the value of PRAGMA auto_vacuum
STEP_PAGES = 500  # 2 MB: some milliseconds
SLACK = 0.05  # free pages that are left for the rows to come, as a share of the file
SMALL_BYTES = 64_000_000  # a file that VACUUM writes anew in a second
WORTH = 0.25  # of a larger file must be free before it is written anew


async def care(store: Store, path: Path) -> None:
    """Check the file and give its free space back. What the disk does not allow now is left for the next night."""
    if (problem := await asyncio.to_thread(check, path)) is not None:
        log.error(
            "the database is damaged: %s. Stop the bot and restore a backup.",
            problem,
            extra=telling("admin-database-damaged"),
        )
        return
    try:
        if await store.value("PRAGMA auto_vacuum") == INCREMENTAL:
            await _shrink(store)
        else:
            await _write_anew(store, path)
    except sqlite3.OperationalError as error:
        if not file_is_busy(error):
            raise
        log.warning("the database's free space stays for now: %s", error)


def check(path: Path) -> str | None:
    """What ``PRAGMA quick_check`` says, by a connection of its own that changes nothing; None if all is well."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)) as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return None  # it is busy, which says nothing about it
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else str(found)


async def _shrink(store: Store) -> None:
    pages = await store.value("PRAGMA page_count")
    free = await store.value("PRAGMA freelist_count")
    while free > SLACK * pages:
        await store.alone(f"PRAGMA incremental_vacuum({STEP_PAGES})")
        before, free = free, await store.value("PRAGMA freelist_count")
        pages = await store.value("PRAGMA page_count")
        if free >= before:
            return


async def _write_anew(store: Store, path: Path) -> None:
    """VACUUM, once in the life of an older file. Everybody waits for it."""
    size = await store.value("PRAGMA page_count") * await store.value("PRAGMA page_size")
    free = await store.value("PRAGMA freelist_count") / max(1, await store.value("PRAGMA page_count"))
    room = shutil.disk_usage(path.parent).free
    if room < 2 * size or (size > SMALL_BYTES and free < WORTH):
        return
    await store.alone(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    await store.alone("VACUUM")
