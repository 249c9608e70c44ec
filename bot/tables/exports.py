"""Exports: files that a person has asked for. The row is there until all of them have been sent."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from bot.blobs import COLUMNS
from bot.store import Store
from bot.tables import held


class ExportKind(StrEnum):
    """What is exported."""

    EVERYTHING = "everything"  # all that is held of the person
    SAMPLES = "samples"  # of a style: pictures and captions
    DIFFUSERS = "diffusers"  # of a style: its adapter, for diffusers
    KOHYA = "kohya"  # of a style: its adapter, for A1111, ComfyUI and kohya's scripts


@dataclass(frozen=True, kw_only=True)
class Export:
    """One row. ``style`` is 0 for everything; ``message_id`` is the bot's message that shows how it goes."""

    person: int
    kind: ExportKind
    style: int
    message_id: int | None


async def ask(store: Store, person: int, kind: ExportKind, style: int = 0) -> None:
    """Ask for files; the same again while they are on their way changes nothing."""
    await store.change(
        "INSERT INTO export (person, kind, style) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        person,
        kind,
        style,
    )


async def of_person(store: Store, person: int) -> list[Export]:
    """What a person waits for, in the order in which they asked."""
    rows = await store.rows("SELECT * FROM export WHERE person = ? ORDER BY rowid", person)
    return [Export(**(dict(row) | {"kind": ExportKind(row["kind"])})) for row in rows]


async def people(store: Store) -> list[int]:
    """Who waits for files."""
    return [row[0] for row in await store.rows("SELECT DISTINCT person FROM export")]


async def shown(store: Store, export: Export, message_id: int) -> None:
    """Remember the bot's message that shows how it goes."""
    await store.change(
        "UPDATE export SET message_id = ? WHERE person = ? AND kind = ? AND style = ?",
        message_id,
        export.person,
        export.kind,
        export.style,
    )


async def end(store: Store, export: Export) -> bool:
    """Forget an export that has been sent or cannot be. False if it was forgotten before, with its person."""
    return bool(
        await store.change(
            "DELETE FROM export WHERE person = ? AND kind = ? AND style = ?",
            export.person,
            export.kind,
            export.style,
        )
    )


async def blobs_of(store: Store, person: int) -> dict[str, list[str]]:
    """The blobs that a person's rows name, by table; not the adapter of a job, which may be somebody else's."""
    conditions = await held.tables(store)
    found: dict[str, list[str]] = {}
    for table, column in COLUMNS:
        if table not in conditions or (table, column) == ("job", "adapter"):
            continue
        rows = await store.rows(
            f"SELECT DISTINCT {column} FROM {table}"  # noqa: S608 - names of the schema
            f" WHERE {conditions[table]} AND coalesce({column}, '') != '' ORDER BY rowid",
            person,
        )
        found.setdefault(table, []).extend(row[0] for row in rows)
    return found


def plain(rows: list[sqlite3.Row]) -> list[dict[str, object]]:
    """Rows as they can be written as JSON."""
    return [dict(row) for row in rows]
