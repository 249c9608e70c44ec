"""Deletes rows after some time, and the rows of deleted styles that nothing needs any more.

A row of a job or drawing stays as long as another row needs it: a training that its style draws with, a sticker in a
pack. Then only its prompt and, for a deleted style, its file are deleted.
"""

from __future__ import annotations

from bot.store import Store
from bot.tables import settings
from bot.tables.jobs import FORGET_WORDS, OF_DELETED_STYLE

_OLD = "SELECT id FROM job WHERE ended_at < ?"
_OF_DELETED_STYLES = f"SELECT id FROM job WHERE {OF_DELETED_STYLE} AND told = 1"  # noqa: S608 - constants only
_SETTLED = "SELECT drawing FROM pack_sticker WHERE state = 'failed' AND told = 1"
_IN_A_PACK = "SELECT drawing FROM pack_sticker WHERE state = 'added' AND told = 1"
_ON_ITS_WAY = "SELECT drawing FROM pack_sticker WHERE state NOT IN ('added', 'failed') OR told = 0"
_SEEN = "newest rows at the last tidy"


async def forget_old(store: Store, before: float) -> None:
    """Delete ended jobs that are older than ``before`` (seconds since 1970), with their prompts and drawings.

    Drawings in packs stay. The blobs are the caller's to sweep.
    """
    async with store.transaction():
        await _delete_drawings(store, _OLD, before)
        await _forget_words(store, _OLD, before)
        await store.change(
            f"DELETE FROM job WHERE id IN ({_OLD}) AND id NOT IN (SELECT job FROM drawing)"  # noqa: S608 - constants only
            " AND id NOT IN (SELECT job FROM checkpoint) AND id NOT IN (SELECT job FROM comparison)",
            before,
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
        await _forget_words(store, _OF_DELETED_STYLES)
    return names + [row["blob"] for row in packed]


async def forget_seen(store: Store) -> None:
    """Delete the notes on albums that were there at the last call already.

    They have no time. A call a day keeps them for one to two days; they are needed for minutes.
    """
    async with store.transaction():
        seen = await settings.read(store, _SEEN) or {}
        await store.change("DELETE FROM album_item WHERE rowid <= ?", seen.get("album_item", 0))
        newest = {"album_item": await store.value("SELECT max(rowid) FROM album_item") or 0}
        await settings.write(store, _SEEN, newest)


async def _delete_drawings(store: Store, jobs: str, *params: object) -> list[str]:
    """Delete the drawings of these jobs (a query) that are in no pack; gives their blobs."""
    of_jobs = f"SELECT id FROM drawing WHERE job IN ({jobs})"  # noqa: S608 - constants only
    await store.change(
        f"DELETE FROM pack_sticker WHERE drawing IN ({of_jobs}) AND drawing IN ({_SETTLED})",  # noqa: S608
        *params,
    )
    rows = await store.rows(
        f"DELETE FROM drawing WHERE id IN ({of_jobs})"  # noqa: S608 - constants only
        " AND id NOT IN (SELECT drawing FROM pack_sticker) RETURNING blob",
        *params,
    )
    return [row["blob"] for row in rows]


async def _forget_words(store: Store, jobs: str, *params: object) -> None:
    """Forget the prompts of these jobs (a query), but for stickers on their way: their emoji come from the prompt."""
    await store.change(
        f"UPDATE job SET {FORGET_WORDS} WHERE id IN ({jobs}) AND prompt != ''"  # noqa: S608 - constants only
        f" AND id NOT IN (SELECT job FROM drawing WHERE id IN ({_ON_ITS_WAY}))",
        *params,
    )
