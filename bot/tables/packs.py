"""Packs, and the stickers on their way into them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.store import Store


class PackState(StrEnum):
    """What is known of a sticker set on Telegram."""

    NEW = "new"  # planned: no call has certainly made it
    LIVE = "live"  # made, and takes stickers
    FULL = "full"  # holds as many as Telegram allows
    GONE = "gone"  # deleted by its owner, or its name belongs to another set


class StickerState(StrEnum):
    """How far a sticker is on its way into a pack."""

    WANTED = "wanted"  # its person asked for it
    UPLOADED = "uploaded"  # Telegram has the file; it is in no pack
    ADDING = "adding"  # a call may have put it into its pack: look before the next call
    ADDED = "added"  # in its pack
    FAILED = "failed"  # refused; the person may ask again


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A Telegram sticker set of a person, or the plan of one."""

    id: int
    person: int
    keyword: str
    name: str
    title: str
    state: PackState
    made_at: float  # seconds since 1970: when its making was asked for


@dataclass(frozen=True, kw_only=True)
class PackSticker:
    """A sticker that its person wants in a pack."""

    id: int
    person: int
    drawing: int
    pack: int | None
    state: StickerState
    file_id: str | None
    told: int
    before: str | None  # JSON: unique file ids of the pack's stickers before this one was added
    refusals: int

    @property
    def ids_before(self) -> frozenset[str]:
        """The unique file ids that were in the pack before; empty where that is not known."""
        return frozenset(json.loads(self.before or "[]"))


async def want(store: Store, person: int, drawing: int) -> bool:
    """Ask for a sticker to be added; False if it was asked for before. One that failed is tried again."""
    changed = await store.change(
        "INSERT INTO pack_sticker (person, drawing) VALUES (?, ?) ON CONFLICT (drawing)"
        " DO UPDATE SET state = iif(file_id IS NULL, 'wanted', 'uploaded'), told = 0, refusals = 0"
        " WHERE state = 'failed'",
        person,
        drawing,
    )
    return bool(changed)


async def open_of(store: Store, person: int) -> list[PackSticker]:
    """A person's stickers that are not in yet, oldest first."""
    rows = await store.rows(
        "SELECT * FROM pack_sticker WHERE person = ? AND state IN ('wanted', 'uploaded', 'adding')"
        " ORDER BY id",
        person,
    )
    return [_sticker(row) for row in rows]


async def untold_of(store: Store, person: int) -> list[PackSticker]:
    """A person's stickers whose end, added or failed, has not been told."""
    rows = await store.rows(
        "SELECT * FROM pack_sticker WHERE person = ? AND state IN ('added', 'failed') AND told = 0"
        " ORDER BY id",
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
    """The sticker is in, and so its pack exists."""
    async with store.transaction():
        await store.change("UPDATE pack_sticker SET state = 'added' WHERE id = ?", id)
        await store.change("UPDATE pack SET state = 'live' WHERE id = ? AND state = 'new'", pack)


async def failed(store: Store, id: int) -> None:
    """Telegram refuses the sticker for good."""
    await store.change("UPDATE pack_sticker SET state = 'failed' WHERE id = ?", id)


async def tell(store: Store, ids: list[int]) -> None:
    """The person has been told how it ended."""
    await store.change_many("UPDATE pack_sticker SET told = 1 WHERE id = ?", [(id,) for id in ids])


async def get(store: Store, id: int) -> Pack:
    """The pack with this id."""
    row = await store.row("SELECT * FROM pack WHERE id = ?", id)
    assert row is not None
    return _pack(row)


async def current(store: Store, person: int, keyword: str) -> Pack | None:
    """The pack that a style's next sticker goes into, None if one has to be made."""
    row = await store.row(
        "SELECT * FROM pack WHERE person = ? AND keyword = ? AND state IN ('new', 'live')"
        " ORDER BY id DESC LIMIT 1",
        person,
        keyword,
    )
    return None if row is None else _pack(row)


async def how_many(store: Store, person: int, keyword: str) -> int:
    """How many packs there ever were of a person's style: the next one's number is one more."""
    return int(
        await store.value("SELECT count(*) FROM pack WHERE person = ? AND keyword = ?", person, keyword)
    )


async def plan(store: Store, person: int, keyword: str, name: str, title: str) -> Pack:
    """Write down a pack that is about to be made."""
    row = await store.row(
        "INSERT INTO pack (person, keyword, name, title, state) VALUES (?, ?, ?, ?, 'new') RETURNING *",
        person,
        keyword,
        name,
        title,
    )
    assert row is not None
    return _pack(row)


async def mark(store: Store, id: int, state: PackState) -> None:
    """A pack turned out to be full or gone."""
    await store.change("UPDATE pack SET state = ? WHERE id = ?", state, id)


async def all_of(store: Store, person: int) -> list[tuple[Pack, int]]:
    """A person's packs with how many stickers the bot has put into each."""
    rows = await store.rows(
        "SELECT * FROM pack WHERE person = ? AND state IN ('live', 'full') ORDER BY id", person
    )
    found = [_pack(row) for row in rows]
    return [(pack, await how_many_in(store, pack.id)) for pack in found]


async def how_many_in(store: Store, pack: int) -> int:
    """How many stickers the bot has put into a pack."""
    counted = "SELECT count(*) FROM pack_sticker WHERE pack = ? AND state = 'added'"
    return int(await store.value(counted, pack))


def _pack(row: sqlite3.Row) -> Pack:
    return Pack(**dict(row) | {"state": PackState(row["state"])})


def _sticker(row: sqlite3.Row) -> PackSticker:
    return PackSticker(**dict(row) | {"state": StickerState(row["state"])})
