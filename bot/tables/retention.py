"""Deletes rows after some time, and the rows of deleted styles that nothing needs any more.

A row of a job or drawing stays as long as another row needs it: a training that its style draws with, a sticker in a
pack. Then only its prompt and, for a deleted style, its file are deleted.
"""

from __future__ import annotations

import time

from bot.clock import lately
from bot.store import Store
from bot.tables import settings
from bot.tables.jobs import FORGET_WORDS, OF_DELETED_STYLE

BATCH = 20_000  # jobs in a transaction: others' changes wait half a second; smaller ones write more
HALF_A_DAY = 12 * 3600.0  # seconds

# "+" keeps SQLite at the range of ids
_OLD = "SELECT id FROM job WHERE id > ? AND id <= ? AND +ended_at < ?"
_LAST_OF_BATCH = "SELECT max(id) FROM (SELECT id FROM job WHERE id > ? AND +ended_at < ? ORDER BY id LIMIT ?)"
_OF_DELETED_STYLES = f"SELECT id FROM job WHERE {OF_DELETED_STYLE} AND told = 1"  # noqa: S608 - constants only
_IN_A_PACK = "SELECT drawing FROM pack_sticker WHERE state = 'added' AND told = 1"
_ON_ITS_WAY = (  # a job with a sticker that is yet to be added, or to be told of
    "SELECT 1 FROM drawing JOIN pack_sticker ON pack_sticker.drawing = drawing.id WHERE drawing.job = job.id"
    " AND (pack_sticker.state IN ('wanted', 'uploaded', 'adding') OR pack_sticker.told = 0)"
)
_ADDED = (  # the stickers in packs that were drawn by these jobs
    "SELECT pack_sticker.id FROM pack_sticker JOIN drawing ON drawing.id = drawing"
    " WHERE state NOT IN ('wanted', 'uploaded', 'adding') AND told = 1 AND job IN"
)
_SEEN = "newest rows at the last tidy"


async def forget_old(store: Store, before: float, *, after: int = 0) -> int | None:
    """Delete the next ended jobs that are older than ``before`` (seconds since 1970), with prompts and drawings.

    They are a batch of those whose id is above ``after``. Gives the last id that was looked at, None at the end.
    Drawings in packs stay. The blobs are the caller's to sweep.
    """
    last: int | None = await store.value(_LAST_OF_BATCH, after, before, BATCH)
    if last is None:
        return None
    batch = (after, last, before)
    async with store.transaction():
        await _delete_drawings(store, _OLD, *batch)
        await store.change(
            f"DELETE FROM job WHERE id IN ({_OLD})"  # noqa: S608 - constants only
            " AND NOT EXISTS (SELECT 1 FROM drawing WHERE drawing.job = job.id)"
            " AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.job = job.id)"
            " AND NOT EXISTS (SELECT 1 FROM comparison WHERE comparison.job = job.id)",
            *batch,
        )
        await _forget_uncut(store, _OLD, *batch)
        await _forget_words(store, _OLD, *batch)
    return last


async def forget_changes(store: Store, before: float) -> None:
    """Forget changes of packs that are older than ``before``, and pictures that Telegram has, too.

    The blobs are the caller's to sweep.
    """
    async with store.transaction():
        await _delete_changes(store, "at < ?", before)
        await store.change("UPDATE pack_item SET blob = NULL WHERE blob IS NOT NULL")
        await store.change(
            "UPDATE pack_sticker SET blob = NULL WHERE state = 'added' AND told = 1"
            " AND id IN (SELECT sticker FROM pack_item)"
        )
        await store.change(
            "DELETE FROM pack_sticker WHERE drawing IS NULL AND state IN ('failed', 'removed') AND told = 1"
        )


async def forget_deleted_styles(store: Store) -> list[str]:
    """Delete what the draws of deleted styles have left; gives the blobs that may be unused now.

    A draw whose end has not been told yet, and a sticker on its way into a pack, are left for the next time.
    """
    async with store.transaction():
        names = await _delete_drawings(store, _OF_DELETED_STYLES)
        packed = await store.rows(
            f"SELECT blob FROM drawing WHERE job IN ({_OF_DELETED_STYLES})"  # noqa: S608 - constants only
            f" AND id IN ({_IN_A_PACK}) AND blob != ''"
        )
        await store.change(
            f"UPDATE drawing SET blob = '' WHERE job IN ({_OF_DELETED_STYLES}) AND id IN ({_IN_A_PACK})"  # noqa: S608
        )
        added = f"{_ADDED} ({_OF_DELETED_STYLES})"
        await _delete_changes(
            store,
            f"coalesce(sticker, json_extract(old, '$.sticker')) IN ({added})"  # noqa: S608 - constants only
            f" OR item IN (SELECT unique_id FROM pack_item WHERE sticker IN ({added}))",
        )
        names += await _forget_uncut(store, _OF_DELETED_STYLES)
        await _forget_words(store, _OF_DELETED_STYLES)
    return names + [row["blob"] for row in packed]


async def forget_seen(store: Store) -> None:
    """Delete the notes on albums that were there half a day ago already.

    They are needed for minutes. When they came is not known: a look at them twice a day at most keeps them for one to
    two days, however often the bot is started.
    """
    async with store.transaction():
        seen, now = await settings.read(store, _SEEN) or {}, time.time()
        if lately(seen.get("at", 0.0), HALF_A_DAY):
            return
        await store.change("DELETE FROM album_item WHERE rowid <= ?", seen.get("album_item", 0))
        newest = await store.value("SELECT max(rowid) FROM album_item") or 0
        await settings.write(store, _SEEN, {"album_item": newest, "at": now})


async def _delete_drawings(store: Store, jobs: str, *params: object) -> list[str]:
    """Delete the drawings of these jobs (a query) that are in no pack; gives their blobs."""
    of_jobs = f"SELECT id FROM drawing WHERE job IN ({jobs})"  # noqa: S608 - constants only
    await store.change(
        f"DELETE FROM pack_sticker WHERE drawing IN ({of_jobs})"  # noqa: S608 - constants only
        " AND state IN ('failed', 'removed', 'unstarted') AND told = 1",
        *params,
    )
    rows = await store.rows(
        f"DELETE FROM drawing WHERE id IN ({of_jobs})"  # noqa: S608 - constants only
        " AND NOT EXISTS (SELECT 1 FROM pack_sticker WHERE pack_sticker.drawing = drawing.id) RETURNING blob, uncut",
        *params,
    )
    return [name for row in rows for name in row if name]


async def _forget_uncut(store: Store, jobs: str, *params: object) -> list[str]:
    """Forget what the drawings of these jobs (a query) were cut out of, also of those in packs; gives the blobs."""
    where = f"WHERE job IN ({jobs}) AND uncut IS NOT NULL"
    rows = await store.rows(f"SELECT uncut FROM drawing {where}", *params)  # noqa: S608 - constants only
    await store.change(f"UPDATE drawing SET uncut = NULL {where}", *params)  # noqa: S608 - constants only
    return [row[0] for row in rows]


async def _delete_changes(store: Store, which: str, *params: object) -> None:
    """Delete changes of packs that have ended, and what has undone them."""
    ended = f"SELECT id FROM pack_change WHERE ({which}) AND state IN ('done', 'failed')"  # noqa: S608 - constants
    await store.change(f"DELETE FROM pack_change WHERE undoes IN ({ended})", *params)  # noqa: S608 - constants only
    await store.change(f"DELETE FROM pack_change WHERE id IN ({ended})", *params)  # noqa: S608 - constants only


async def _forget_words(store: Store, jobs: str, *params: object) -> None:
    """Forget the prompts of these jobs (a query), but for stickers on their way: their emoji come from the prompt."""
    await store.change(
        f"UPDATE job SET {FORGET_WORDS} WHERE id IN ({jobs}) AND prompt != ''"  # noqa: S608 - constants only
        f" AND NOT EXISTS ({_ON_ITS_WAY})",
        *params,
    )
    added = f"{_ADDED} ({jobs})"
    await store.change(f"UPDATE pack_sticker SET keywords = NULL WHERE id IN ({added})", *params)  # noqa: S608
    await store.change(f"UPDATE pack_item SET keywords = NULL WHERE sticker IN ({added})", *params)  # noqa: S608
