"""Stickers on their way into packs: drawings, stickers that come back, custom-emoji copies."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.store import Store


class StickerState(StrEnum):
    """How far a sticker is on its way into a pack."""

    WANTED = "wanted"  # its person asked for it
    UPLOADED = "uploaded"  # Telegram has the file; it is in no pack
    ADDING = "adding"  # a call may have put it into its pack: look before the next call
    ADDED = "added"  # in its pack
    FAILED = "failed"  # refused; the person may ask again
    REMOVED = "removed"  # was in a pack and is not any more; the person may ask again
    UNSTARTED = "unstarted"  # its person has never written to the bot, which packs need


_AGAIN = "('failed', 'removed', 'unstarted')"


@dataclass(frozen=True, kw_only=True)
class PackSticker:
    """A sticker that its person wants in a pack. What is None is found out when it is added."""

    id: int
    person: int
    drawing: int | None
    pack: int | None
    state: StickerState
    file_id: str | None
    told: int
    before: str | None  # JSON: unique file ids of the pack's stickers before this one was added
    refusals: int
    blob: str | None  # the picture, if it is no drawing
    target: int | None  # the pack that it must go into
    replaces: str | None  # unique file id of the sticker whose place it takes
    emoji: str | None  # JSON
    keywords: str | None  # JSON
    copy_of: str | None  # unique file id of the sticker that this custom emoji is a copy of
    change: int | None  # the row of pack_change that it belongs to

    @property
    def ids_before(self) -> frozenset[str]:
        """The unique file ids that were in the pack before; empty where that is not known."""
        return frozenset(json.loads(self.before or "[]"))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A sticker to put into a pack: a drawing, or a picture of its own. See ``PackSticker``."""

    person: int
    drawing: int | None = None
    blob: str | None = None
    target: int | None = None
    replaces: str | None = None
    emoji: Sequence[str] | None = None
    keywords: Sequence[str] | None = None
    copy_of: str | None = None
    change: int | None = None


async def want(store: Store, wanted: Wanted) -> int | None:
    """Ask for a sticker to be added; gives its id, None if it is in or on its way. One that failed is tried again."""
    row = await store.row(
        "INSERT INTO pack_sticker"  # noqa: S608 - constants only
        " (person, drawing, blob, target, replaces, emoji, keywords, copy_of, change)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET state = 'wanted', told = 0,"
        " refusals = 0, pack = NULL, file_id = NULL, before = NULL, blob = ?3, target = ?4, replaces = ?5,"
        f" emoji = ?6, keywords = ?7, change = ?9 WHERE state IN {_AGAIN} RETURNING id",
        *(wanted.person, wanted.drawing, wanted.blob, wanted.target, wanted.replaces),
        *(_json(wanted.emoji), _json(wanted.keywords), wanted.copy_of, wanted.change),
    )
    return None if row is None else int(row["id"])


async def want_back(store: Store, id: int, wanted: Wanted) -> None:
    """Ask once more for a sticker that was taken out of its pack, with the emoji and words that it had there."""
    await store.change(
        "UPDATE pack_sticker SET state = 'wanted', told = 0, refusals = 0, pack = NULL, file_id = NULL,"
        " before = NULL, target = ?, replaces = ?, emoji = ?, keywords = ?, change = ? WHERE id = ?",
        *(wanted.target, wanted.replaces, _json(wanted.emoji), _json(wanted.keywords), wanted.change, id),
    )


async def open_of(store: Store, person: int) -> list[PackSticker]:
    """A person's stickers that are not in yet, oldest first."""
    rows = await store.rows(
        "SELECT * FROM pack_sticker WHERE person = ? AND state IN ('wanted', 'uploaded', 'adding')"
        " ORDER BY id",
        person,
    )
    return [_sticker(row) for row in rows]


async def untold_of(store: Store, person: int) -> list[PackSticker]:
    """A person's stickers whose end, added, failed or removed, has not been told."""
    rows = await store.rows(
        "SELECT * FROM pack_sticker WHERE person = ? AND state IN ('added', 'failed', 'removed')"
        " AND told = 0 ORDER BY id",
        person,
    )
    return [_sticker(row) for row in rows]


async def people_waiting(store: Store) -> list[int]:
    """Who has stickers on their way, or news of them to hear."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM pack_sticker JOIN person ON person.id = person"
        " WHERE told = 0 AND NOT blocked"
    )
    return [row[0] for row in rows]


async def by_id(store: Store, id: int) -> PackSticker:
    """The sticker with this id."""
    row = await store.row("SELECT * FROM pack_sticker WHERE id = ?", id)
    assert row is not None
    return _sticker(row)


async def find(store: Store, id: int) -> PackSticker | None:
    """The sticker with this id; None if it is forgotten by now."""
    row = await store.row("SELECT * FROM pack_sticker WHERE id = ?", id)
    return None if row is None else _sticker(row)


async def keep_picture(store: Store, id: int, blob: str) -> None:
    """The picture of a copy, as it is uploaded."""
    await store.change("UPDATE pack_sticker SET blob = ? WHERE id = ?", blob, id)


async def unseen_in(store: Store, pack: int) -> list[PackSticker]:
    """The stickers that were added to a pack and are not known by their id there, in the order of adding."""
    rows = await store.rows(
        "SELECT * FROM pack_sticker WHERE pack = ? AND state = 'added'"
        " AND id NOT IN (SELECT sticker FROM pack_item WHERE sticker IS NOT NULL) ORDER BY id",
        pack,
    )
    return [_sticker(row) for row in rows]


async def uploaded(store: Store, id: int, file_id: str) -> None:
    """The file is on Telegram's side; adding this very file twice changes nothing there."""
    await store.change("UPDATE pack_sticker SET state = 'uploaded', file_id = ? WHERE id = ?", file_id, id)


async def adding(store: Store, id: int, pack: int, before: Sequence[str]) -> None:
    """From here on the sticker may be in the pack. ``before``: the unique file ids that are in it now."""
    async with store.transaction():
        await store.change(
            "UPDATE pack_sticker SET state = 'adding', pack = ?, before = ? WHERE id = ?",
            pack,
            json.dumps(sorted(before)),
            id,
        )
        await store.change("UPDATE pack SET made_at = ? WHERE id = ? AND made_at = 0", time.time(), pack)


async def describe(store: Store, id: int, emoji: Sequence[str], keywords: Sequence[str]) -> None:
    """The sticker goes in with these emoji and search words, which Telegram does not all show later."""
    query = "UPDATE pack_sticker SET emoji = ?, keywords = ? WHERE id = ?"
    await store.change(query, _json(emoji), _json(keywords), id)


async def uncertain(store: Store, pack: int) -> bool:
    """Whether a call for this pack may have been heard or not."""
    query = "SELECT 1 FROM pack_sticker WHERE pack = ? AND state = 'adding' LIMIT 1"
    return await store.row(query, pack) is not None


async def not_added(store: Store, id: int) -> None:
    """It is certain that the sticker is in no pack."""
    await store.change("UPDATE pack_sticker SET state = 'uploaded', pack = NULL WHERE id = ?", id)


async def refused(store: Store, id: int) -> int:
    """A pack's name, or the uploaded file, was refused; gives how often that has happened."""
    row = await store.row(
        "UPDATE pack_sticker SET refusals = refusals + 1 WHERE id = ? RETURNING refusals", id
    )
    assert row is not None
    return int(row[0])


async def upload_again(store: Store, id: int) -> None:
    """Telegram does not know the uploaded file any more."""
    await store.change(
        "UPDATE pack_sticker SET state = 'wanted', pack = NULL, file_id = NULL WHERE id = ?", id
    )


async def added(store: Store, id: int, pack: int) -> None:
    """The sticker is in, and so its pack exists. What was asked for is done."""
    async with store.transaction():
        await store.change("UPDATE pack_sticker SET state = 'added' WHERE id = ?", id)
        await store.change("UPDATE pack SET state = 'live' WHERE id = ? AND state = 'new'", pack)
        await store.change(
            "UPDATE pack_change SET state = 'done', pack = ?, sticker = ? WHERE id ="
            " (SELECT change FROM pack_sticker WHERE id = ?)",
            *(pack, id, id),
        )


async def failed(store: Store, id: int) -> None:
    """Telegram refuses the sticker for good."""
    await _end(store, id, StickerState.FAILED, told=False)


async def removed(store: Store, id: int, *, told: bool = False) -> None:
    """The sticker is in no pack any more, or not wanted any more. ``told``: its person need not hear of it."""
    await _end(store, id, StickerState.REMOVED, told=told)


async def _end(store: Store, id: int, state: StickerState, *, told: bool) -> None:
    async with store.transaction():
        await store.change("UPDATE pack_sticker SET state = ?, told = ? WHERE id = ?", state, told, id)
        await store.change(
            "UPDATE pack_change SET state = 'failed', told = 1 WHERE state IN ('wanted', 'calling')"
            " AND id = (SELECT change FROM pack_sticker WHERE id = ?)",
            id,
        )


async def wait_for_start(store: Store, person: int) -> None:
    """The person has never written to the bot: their stickers wait until they do."""
    await store.change(
        "UPDATE pack_sticker SET state = 'unstarted', told = 1"
        " WHERE person = ? AND state IN ('wanted', 'uploaded', 'adding')",
        person,
    )


async def started(store: Store, person: int) -> int:
    """The person has written to the bot; gives how many of their stickers go on their way now."""
    return await store.change(
        "UPDATE pack_sticker SET state = 'wanted', told = 0, pack = NULL, file_id = NULL"
        " WHERE person = ? AND state = 'unstarted'",
        person,
    )


async def tell(store: Store, ids: list[int]) -> None:
    """The person has been told how it ended."""
    await store.change_many("UPDATE pack_sticker SET told = 1 WHERE id = ?", [(id,) for id in ids])


def _json(values: Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values), ensure_ascii=False)


def _sticker(row: sqlite3.Row) -> PackSticker:
    return PackSticker(**dict(row) | {"state": StickerState(row["state"])})
