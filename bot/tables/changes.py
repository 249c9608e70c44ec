"""Changes of styles that their person can take back: how each sample was before, or the keyword."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass

from bot.store import Store
from lora.data import captions

KEPT = 10  # changes of one style that can be taken back
_STANDING = (
    "SELECT change.id, style, made_at, renamed FROM style JOIN change ON change.style = style.id"
    " WHERE person = ?1 AND undone IS NULL"
)
_SEEN = ("caption", "caption_original", "blob")  # of a sample
_STAYS = ("id", "style", "answer_id")  # what taking back does not change of a sample that is there


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What taking a change back has done, as ids of samples."""

    back: tuple[int, ...]  # those that had been removed
    changed: tuple[int, ...]
    gone: tuple[int, ...]  # those that had been added
    unused: tuple[str, ...]  # blobs for the caller to sweep


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that stands. ``renamed`` is the style's keyword before it, None if it did not change."""

    id: int
    style: int
    made_at: float  # seconds since 1970
    renamed: str | None


class Full(Exception):
    """The style has no room for what was removed."""


async def note(
    store: Store, style: int, origin: str, samples: Iterable[int], *, renamed: str | None = None
) -> int | None:
    """Write down how these samples are, or the keyword, just before a change, in the same transaction.

    Gives the change's id; None if ``origin``, the message or press that asks for it, has made it before.
    """
    row = await store.row(
        "INSERT INTO change (style, origin, made_at, renamed) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        *(style, origin, time.time(), renamed),
    )
    if row is None:
        return None
    for id in samples:
        await note_one(store, int(row["id"]), id)
    return int(row["id"])


async def note_added(store: Store, change: int, sample: int) -> None:
    """Write down that a change has added this sample."""
    await store.change("INSERT INTO changed_sample (change, sample) VALUES (?, ?)", change, sample)


async def remove(store: Store, style: int, origin: str, samples: Iterable[int]) -> int | None:
    """Remove samples, to be had back; gives the change's id, None if ``origin`` has removed some before."""
    ids = list(samples)
    async with store.transaction():
        if (change := await note(store, style, origin, ids)) is not None:
            await store.change_many("DELETE FROM sample WHERE id = ?", [(id,) for id in ids])
    return change


async def forget_if_same(store: Store, change: int) -> bool:
    """Forget a change after which everything that people see is as before; whether it was one."""
    rows = await store.rows(
        "SELECT was, sample.* FROM changed_sample LEFT JOIN sample ON sample.id = sample WHERE change = ?",
        change,
    )
    same = all(row["was"] and row["id"] and _looks_same(json.loads(row["was"]), row) for row in rows)
    if same and await store.value("SELECT renamed FROM change WHERE id = ?", change) is None:
        await store.change("DELETE FROM change WHERE id = ?", change)
        return True
    return False


def _looks_same(was: dict[str, object], now: sqlite3.Row) -> bool:
    return all(was[name] == now[name] for name in _SEEN)


async def size(store: Store, change: int) -> int:
    """How many samples a change has changed."""
    return int(await store.value("SELECT count(*) FROM changed_sample WHERE change = ?", change))


async def by_origin(store: Store, style: int, origin: str) -> int | None:
    """The change that a message or a press has made."""
    found = await store.value("SELECT id FROM change WHERE style = ? AND origin = ?", style, origin)
    return None if found is None else int(found)


async def origin_of(store: Store, change: int) -> str:
    """The message or the press that has made a change."""
    return str(await store.value("SELECT origin FROM change WHERE id = ?", change))


async def standing(store: Store, person: int, id: int) -> Change | None:
    """A change of this person's styles that has not been taken back."""
    return _change(await store.row(f"{_STANDING} AND change.id = ?", person, id))


async def newest(store: Store, person: int, style: int | None = None) -> Change | None:
    """The newest change of a person's styles, or of one of them, that has not been taken back."""
    query = f"{_STANDING} AND (?2 IS NULL OR style = ?2) ORDER BY change.id DESC LIMIT 1"
    return _change(await store.row(query, person, style))


async def undone_by(store: Store, person: int, origin: str) -> bool:
    """Whether this message or press has taken back a change before."""
    query = "SELECT 1 FROM style JOIN change ON change.style = style.id WHERE person = ? AND undone = ?"
    return await store.row(query, person, origin) is not None


async def taken_back(store: Store, id: int, origin: str) -> None:
    """The change does not stand any more."""
    await store.change("UPDATE change SET undone = ? WHERE id = ?", origin, id)


async def rename(store: Store, style: int, old: str, new: str) -> None:
    """Put a style's new keyword into the captions that taking changes back would bring."""
    rows = await store.rows(
        "SELECT change, sample, was FROM changed_sample JOIN change ON change.id = change WHERE style = ?"
        " AND was IS NOT NULL",
        style,
    )
    renamed = [(_renamed(row["was"], old, new), row["change"], row["sample"]) for row in rows]
    await store.change_many("UPDATE changed_sample SET was = ? WHERE change = ? AND sample = ?", renamed)


def _renamed(was: str, old: str, new: str) -> str:
    sample = json.loads(was)
    if sample["caption"] is not None:
        sample["caption"] = captions.renamed(sample["caption"], old, new)
    return json.dumps(sample)


async def undo(store: Store, change: int, origin: str, most: int) -> Undone:
    """Make a change's samples what they were before it. Raises Full if the style would have over ``most``.

    The same file may have been sent again since it was removed: then it stays as it is.
    """
    async with store.transaction():
        rows = await store.rows(
            "SELECT changed_sample.*, sample.id IS NOT NULL AS there, sample.blob AS now FROM changed_sample"
            " LEFT JOIN sample ON sample.id = sample WHERE change = ? ORDER BY sample",
            change,
        )
        style = await store.value("SELECT style FROM change WHERE id = ?", change)
        lost = [row for row in rows if row["was"] and not row["there"]]
        count = await store.value("SELECT count(*) FROM sample WHERE style = ?", style)
        if lost and count + len(lost) > most:
            raise Full
        back = [row["sample"] for row in lost if await _bring_back(store, json.loads(row["was"]))]
        kept = [row for row in rows if row["was"] and row["there"]]
        for row in kept:
            await _restore(store, json.loads(row["was"]))
        gone = [row["sample"] for row in rows if not row["was"] and row["there"]]
        await store.change_many("DELETE FROM sample WHERE id = ?", [(id,) for id in gone])
        await store.change("DELETE FROM changed_sample WHERE change = ?", change)
        await taken_back(store, change, origin)
    return Undone(
        back=tuple(back),
        changed=tuple(row["sample"] for row in kept),
        gone=tuple(gone),
        unused=tuple(name for row in rows for name in (row["blob"], row["now"]) if name),
    )


async def forget_beyond(store: Store, style: int) -> list[str]:
    """Forget all but the newest changes of a style; gives the blobs that may be unused now."""
    return await _forget(
        store,
        "style = ?1 AND id NOT IN (SELECT id FROM change WHERE style = ?1 ORDER BY id DESC LIMIT ?2)",
        style,
        KEPT,
    )


async def forget_before(store: Store, before: float) -> list[str]:
    """Forget changes that are older (seconds since 1970); gives the blobs that may be unused now."""
    return await _forget(store, "made_at < ?", before)


async def _forget(store: Store, which: str, *params: object) -> list[str]:
    async with store.transaction():
        rows = await store.rows(
            f"SELECT blob FROM changed_sample WHERE change IN (SELECT id FROM change WHERE {which})"  # noqa: S608
            " AND blob IS NOT NULL",
            *params,
        )
        await store.change(f"DELETE FROM change WHERE {which}", *params)  # noqa: S608 - constants only
    return [row["blob"] for row in rows]


async def note_one(store: Store, change: int, id: int) -> None:
    """Write down how one sample is, just before a change of it, in the same transaction."""
    row = await store.row("SELECT * FROM sample WHERE id = ?", id)
    if row is not None:
        await store.change(
            "INSERT INTO changed_sample (change, sample, was, blob) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            change,
            id,
            json.dumps(dict(row)),
            row["blob"],
        )


async def _bring_back(store: Store, was: dict[str, object]) -> bool:
    """Insert a row with the id that it had, and so with its number; False if its file is here again."""
    columns, places = ", ".join(was), ", ".join("?" * len(was))
    return bool(
        await store.change(
            f"INSERT INTO sample ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608 - our own names
            *was.values(),
        )
    )


async def _restore(store: Store, was: dict[str, object]) -> None:
    columns = [name for name in was if name not in _STAYS]
    await store.change(
        f"UPDATE sample SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?",  # noqa: S608 - our own names
        *(was[name] for name in columns),
        was["id"],
    )


def _change(row: sqlite3.Row | None) -> Change | None:
    return None if row is None else Change(**dict(row))
