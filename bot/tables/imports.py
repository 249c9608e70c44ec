"""Imports: rows that ask for all pictures of a sticker pack or a zip, and one row for each of these pictures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.store import Store


class ImportKind(StrEnum):
    """Where the pictures come from."""

    PACK = "pack"  # a sticker set; ``source`` is its name
    ZIP = "zip"  # a file that the person has sent; ``source`` is its file_id


class ImportState(StrEnum):
    """How far an import is."""

    ASKED = "asked"  # it is not known yet what is in it
    TAKING = "taking"  # its pictures are taken one by one
    DONE = "done"
    STOPPED = "stopped"  # by the person; what was taken stays
    FAILED = "failed"  # it cannot be opened; ``error`` says why


class Outcome(StrEnum):
    """What became of one picture. Where it was refused, the key of the locales stands in place of these."""

    NEW = "new"
    AGAIN = "again"  # its file is a sample already
    SAME = "same"  # its picture is a sample already, sent another way
    CLEARER = "clearer"  # as ``SAME``, but only this file has transparency: the sample has it now
    FULL = "full"  # the style had no room left


@dataclass(frozen=True, kw_only=True)
class Import:
    """One row. ``message_id`` and ``sent_at`` are those of the person's message that it came from."""

    id: int
    person: int
    style: int
    origin: str
    kind: ImportKind
    source: str = field(repr=False)
    title: str = field(repr=False)
    message_id: int
    sent_at: float
    answer_id: int | None  # the bot's message that shows how it goes
    state: ImportState
    error: str | None  # a key of the locales
    params: dict[
        str, Any
    ]  # what fills the error's text in; "faults", "missing", "named", "unread": what is wrong in a zip
    told: bool  # its end stands in the bot's message

    @property
    def open(self) -> bool:
        """Whether there is something left to take."""
        return self.state in (ImportState.ASKED, ImportState.TAKING)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One picture of an import. ``moves`` is "", "video" or "animated"."""

    position: int
    file_id: str
    file_unique_id: str
    moves: str = ""
    emoji: str = field(default="", repr=False)
    caption: str | None = field(default=None, repr=False)
    outcome: str | None = None  # an Outcome or a key of the locales; None = not taken yet


async def ask(
    store: Store,
    *,
    person: int,
    style: int,
    origin: str,
    kind: ImportKind,
    source: str,
    title: str = "",
    message_id: int,
    sent_at: float,
) -> bool:
    """Insert an import; False if this origin has asked before, or if the same is being imported just now."""
    return bool(
        await store.change(
            "INSERT INTO import (person, style, origin, kind, source, title, message_id, sent_at)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM import"
            " WHERE style = ?2 AND kind = ?4 AND source = ?5 AND state IN ('asked', 'taking'))"
            " ON CONFLICT (person, origin) DO NOTHING",
            person,
            style,
            origin,
            kind,
            source,
            title,
            message_id,
            sent_at,
        )
    )


async def untold_of(store: Store, person: int) -> list[Import]:
    """A person's imports that are not over, or whose end has not been told, oldest first."""
    rows = await store.rows("SELECT * FROM import WHERE person = ? AND told = 0 ORDER BY id", person)
    return [_import(row) for row in rows]


async def people_waiting(store: Store) -> list[int]:
    """Who has imports that are not over or not told."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM import JOIN person ON person.id = person WHERE told = 0 AND NOT blocked"
    )
    return [row[0] for row in rows]


async def get(store: Store, id: int) -> Import | None:
    """The import, None if its style is gone."""
    row = await store.row("SELECT * FROM import WHERE id = ?", id)
    return None if row is None else _import(row)


async def answered(store: Store, id: int, answer_id: int) -> None:
    """Remember the bot's message about an import, and that the samples taken so far are told by it."""
    async with store.transaction():
        await store.change(
            "UPDATE sample SET answer_id = ?2 WHERE answer_id = (SELECT answer_id FROM import WHERE id = ?1)"
            " AND style = (SELECT style FROM import WHERE id = ?1)",
            id,
            answer_id,
        )
        await store.change("UPDATE import SET answer_id = ? WHERE id = ?", answer_id, id)


async def list_items(
    store: Store, id: int, title: str, items: Sequence[Item], params: dict[str, Any]
) -> None:
    """Store what is in an import. From here on its pictures are taken."""
    async with store.transaction():
        changed = await store.change(
            "UPDATE import SET title = ?, params = ?, state = 'taking' WHERE id = ? AND state = 'asked'",
            title,
            json.dumps(params),
            id,
        )
        if changed:
            await store.change_many(
                "INSERT INTO import_item (import, position, file_id, file_unique_id, moves, emoji, caption)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        id,
                        item.position,
                        item.file_id,
                        item.file_unique_id,
                        item.moves,
                        item.emoji,
                        item.caption,
                    )
                    for item in items
                ],
            )


async def items_of(store: Store, id: int) -> list[Item]:
    """The pictures of an import in order."""
    rows = await store.rows(
        "SELECT position, file_id, file_unique_id, moves, emoji, caption, outcome FROM import_item"
        " WHERE import = ? ORDER BY position",
        id,
    )
    return [Item(**dict(row)) for row in rows]


async def settle(store: Store, id: int, position: int, outcome: str) -> None:
    """What became of one picture."""
    await store.change(
        "UPDATE import_item SET outcome = ? WHERE import = ? AND position = ?", outcome, id, position
    )


async def end(
    store: Store, id: int, state: ImportState, error: str | None = None, params: dict[str, Any] | None = None
) -> bool:
    """End an import that is not over; False if it is."""
    return bool(
        await store.change(
            "UPDATE import SET state = ?, error = ?, params = json_patch(params, ?)"
            " WHERE id = ? AND state IN ('asked', 'taking')",
            state,
            error,
            json.dumps(params or {}),
            id,
        )
    )


async def stop(store: Store, person: int, id: int) -> bool:
    """End a person's import that is not over; False if there is no such."""
    found = await get(store, id)
    return found is not None and found.person == person and await end(store, id, ImportState.STOPPED)


async def stop_of_change(store: Store, change: int) -> None:
    """Stop the import, if it is one, that has made a change: before the change is taken back."""
    await store.change(
        "UPDATE import SET state = 'stopped' WHERE state IN ('asked', 'taking')"
        " AND (style, origin) = (SELECT style, origin FROM change WHERE id = ?)",
        change,
    )


async def tell(store: Store, id: int) -> None:
    """The end has been told: what was in it is not needed any more."""
    async with store.transaction():
        await store.change("UPDATE import SET told = 1, params = '{}' WHERE id = ?", id)
        await store.change("DELETE FROM import_item WHERE import = ?", id)


async def pack_taken(store: Store, style: int, pack: str) -> bool:
    """Whether a pack is, or is being, imported into a style."""
    return (
        await store.row(
            "SELECT 1 FROM import WHERE style = ? AND kind = 'pack' AND source = ? COLLATE NOCASE"
            " AND state NOT IN ('failed', 'stopped')",
            style,
            pack,
        )
        is not None
    )


async def forget_told(store: Store, before: float) -> None:
    """Delete imports that ended long ago; ``before`` is in seconds since 1970, of the message that asked."""
    await store.change("DELETE FROM import WHERE told = 1 AND sent_at < ?", before)


def _import(row: sqlite3.Row) -> Import:
    typed = {
        "kind": ImportKind(row["kind"]),
        "state": ImportState(row["state"]),
        "params": json.loads(row["params"]),
        "told": bool(row["told"]),
    }
    return Import(**dict(row) | typed)
