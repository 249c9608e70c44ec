"""What people change in packs: each change a row before it is a call, kept so that it can be undone."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, field
from enum import StrEnum

from bot.store import Store


class ChangeKind(StrEnum):
    """What is changed. ADD and REPLACE are carried out by the row of pack_sticker that belongs to them."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"
    MOVE = "move"
    EMOJI = "emoji"
    KEYWORDS = "keywords"
    TITLE = "title"
    THUMBNAIL = "thumbnail"
    DROP = "drop"  # the whole pack


class ChangeState(StrEnum):
    """How far a change is."""

    WANTED = "wanted"
    CALLING = "calling"  # Telegram may have done it: look before the next call
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change. ``value`` is the new position (from 0), emoji, keywords or title; ``old`` what was there before."""

    id: int
    person: int
    origin: str
    pack: int | None
    kind: ChangeKind
    state: ChangeState
    item: str | None  # unique file id of the sticker
    sticker: int | None  # or the row of pack_sticker that added it
    value: object = field(repr=False)
    blob: str | None
    old: object = field(repr=False)
    old_blob: str | None
    problem: str | None  # a key of the locales
    undoes: int | None
    undone: str | None  # the message or press that took it back
    view: int | None  # the bot's message that shows the pack
    told: bool
    at: float

    @property
    def lost(self) -> bool:
        """Whether Telegram did not give the picture that was there before, so that it cannot come back."""
        return isinstance(self.old, dict) and bool(self.old.get("lost"))


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A change to ask for. See ``Change``."""

    person: int
    origin: str
    kind: ChangeKind
    pack: int | None
    item: str | None = None
    sticker: int | None = None
    value: object = field(default=None, repr=False)
    blob: str | None = None
    undoes: int | None = None
    view: int | None = None
    told: bool = False  # a part of another change, which is told


async def ask(store: Store, asked: Ask) -> int | None:
    """Ask for a change; gives its id, None if this message or press has asked before."""
    row = await store.row(
        "INSERT INTO pack_change"
        " (person, origin, kind, pack, item, sticker, value, blob, undoes, view, told, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        *(asked.person, asked.origin, asked.kind, asked.pack, asked.item, asked.sticker),
        json.dumps(asked.value, ensure_ascii=False),
        *(asked.blob, asked.undoes, asked.view, asked.told, time.time()),
    )
    return None if row is None else int(row["id"])


async def belongs(store: Store, id: int, sticker: int) -> None:
    """The sticker that carries this change out."""
    await store.change("UPDATE pack_change SET sticker = ? WHERE id = ?", sticker, id)


async def withdraw(store: Store, id: int) -> None:
    """Nothing was to be changed."""
    await store.change("DELETE FROM pack_change WHERE id = ?", id)


async def replaced_by(store: Store, change: Change) -> str | None:
    """The unique file id of what a replacement has put into the pack; None if that is not there any more."""
    found = await store.value("SELECT unique_id FROM pack_item WHERE sticker = ?", change.sticker)
    return None if found is None else str(found)


async def get(store: Store, id: int) -> Change:
    """The change with this id."""
    row = await store.row("SELECT * FROM pack_change WHERE id = ?", id)
    assert row is not None
    return _change(row)


async def open_of(store: Store, person: int) -> list[Change]:
    """A person's changes that are not done, oldest first, without the additions."""
    rows = await store.rows(
        "SELECT * FROM pack_change WHERE person = ? AND state IN ('wanted', 'calling')"
        " AND kind NOT IN ('add', 'replace') ORDER BY id",
        person,
    )
    return [_change(row) for row in rows]


async def untold_of(store: Store, person: int) -> list[Change]:
    """A person's changes that have ended and were not told, oldest first. Additions are told as stickers."""
    rows = await store.rows(
        "SELECT * FROM pack_change WHERE person = ? AND state IN ('done', 'failed')"
        " AND (kind != 'add' OR undoes IS NOT NULL) AND told = 0 ORDER BY id",
        person,
    )
    return [_change(row) for row in rows]


async def people_waiting(store: Store) -> list[int]:
    """Who has changes that are not done or not told."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM pack_change JOIN person ON person.id = person"
        " WHERE NOT blocked AND kind != 'add' AND (told = 0 OR state IN ('wanted', 'calling'))"
    )
    return [row[0] for row in rows]


async def last(store: Store, person: int) -> Change | None:
    """The newest change that /undo can mean: not undone, no undoing itself, in a pack that is there."""
    row = await store.row(
        "SELECT pack_change.* FROM pack_change LEFT JOIN pack ON pack.id = pack_change.pack"
        " WHERE pack_change.person = ? AND undoes IS NULL AND undone IS NULL AND pack_change.state != 'failed'"
        " AND pack_change.kind != 'drop' AND coalesce(pack.state, '') != 'gone'"
        " ORDER BY pack_change.id DESC LIMIT 1",
        person,
    )
    return None if row is None else _change(row)


async def calling(store: Store, id: int, *, item: str | None, old: object, old_blob: str | None) -> None:
    """From here on Telegram may have done it. ``old`` and ``old_blob``: what is there now."""
    await store.change(
        "UPDATE pack_change SET state = 'calling', item = ?, old = ?, old_blob = ? WHERE id = ?",
        item,
        json.dumps(old, ensure_ascii=False),
        old_blob,
        id,
    )


async def not_begun(store: Store, id: int) -> None:
    """It is certain that no call has been heard."""
    await store.change("UPDATE pack_change SET state = 'wanted' WHERE id = ?", id)


async def replacing(store: Store, id: int, *, old: object, old_blob: str | None) -> None:
    """What a replacement takes the place of."""
    await store.change(
        "UPDATE pack_change SET old = ?, old_blob = ? WHERE id = ?",
        json.dumps(old, ensure_ascii=False),
        old_blob,
        id,
    )


async def done(store: Store, id: int) -> None:
    """Telegram has done it."""
    await store.change("UPDATE pack_change SET state = 'done' WHERE id = ?", id)


async def failed(store: Store, id: int, problem: str | None = None) -> None:
    """It cannot be done. ``problem``: the key of the text that says why; None = the person need not hear of it."""
    await store.change(
        "UPDATE pack_change SET state = 'failed', problem = ?, told = ? WHERE id = ?",
        *(problem, problem is None, id),
    )


async def undo(store: Store, id: int, origin: str) -> None:
    """Mark a change as taken back."""
    await store.change("UPDATE pack_change SET undone = ? WHERE id = ?", origin, id)


async def undone_by(store: Store, person: int, origin: str) -> bool:
    """Whether this message or press has taken back a change before."""
    query = "SELECT 1 FROM pack_change WHERE person = ? AND undone = ?"
    return await store.row(query, person, origin) is not None


async def tell(store: Store, id: int) -> None:
    """The person has been told how it ended."""
    await store.change("UPDATE pack_change SET told = 1 WHERE id = ?", id)


def _change(row: sqlite3.Row) -> Change:
    values = dict(row) | {"kind": ChangeKind(row["kind"]), "state": ChangeState(row["state"])}
    values |= {"value": json.loads(row["value"]), "old": json.loads(row["old"] or "null")}
    return Change(**values | {"told": bool(row["told"])})
