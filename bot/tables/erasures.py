"""Erasures: people who want everything deleted. The row is there before the work and goes when all is done."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from bot.store import Store
from bot.tables import held


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """One person's. ``sets`` are the sticker sets still to be deleted on Telegram; None while the rows are there."""

    person: int
    language: str
    message_id: int
    asked_at: float
    with_packs: bool
    sets: tuple[str, ...] | None


async def ask(store: Store, *, person: int, language: str, message_id: int, with_packs: bool) -> None:
    """Ask for everything to be deleted. ``message_id`` is the bot's message that will tell the end.

    What came before was received before, also if the clock was set back meanwhile.
    """
    await store.change(
        "INSERT INTO erasure (person, language, message_id, asked_at, with_packs) SELECT ?1, ?2, ?3,"
        " max(?4, coalesce((SELECT max(received_at) FROM inbox WHERE person = ?1), 0)), ?5"
        " WHERE true ON CONFLICT (person) DO NOTHING",
        person,
        language,
        message_id,
        time.time(),
        with_packs,
    )


async def get(store: Store, person: int) -> Erasure | None:
    """The person's erasure, None if there is none."""
    row = await store.row("SELECT * FROM erasure WHERE person = ?", person)
    if row is None:
        return None
    sets = None if row["sets"] is None else tuple(json.loads(row["sets"]))
    return Erasure(**(dict(row) | {"with_packs": bool(row["with_packs"]), "sets": sets}))


async def people(store: Store) -> list[int]:
    """Whose erasure is not finished."""
    return [row[0] for row in await store.rows("SELECT person FROM erasure")]


async def delete_rows(store: Store, asked: Erasure) -> None:
    """Delete all rows of the person, and remember which sets on Telegram are to go; both or neither."""
    async with store.transaction():
        names = await store.rows("SELECT name FROM pack WHERE person = ? AND state != 'gone'", asked.person)
        sets = [row["name"] for row in names] if asked.with_packs else []
        await store.change(  # what others have drawn in these styles is theirs; the look is not
            "UPDATE job SET adapter = NULL, lent_keyword = '', lent_name = ''"
            " WHERE person != ?1 AND style IN (SELECT id FROM style WHERE person = ?1)",
            asked.person,
        )
        await held.delete(store, asked.person)
        await store.change("UPDATE erasure SET sets = ? WHERE person = ?", json.dumps(sets), asked.person)


async def set_deleted(store: Store, person: int, name: str) -> None:
    """A sticker set is gone from Telegram."""
    await store.change(
        "UPDATE erasure SET sets = (SELECT json_group_array(value) FROM json_each(sets) WHERE value != ?2)"
        " WHERE person = ?1",
        person,
        name,
    )


async def end(store: Store, asked: Erasure) -> bool:
    """Forget the person's updates, waits and the erasure itself. False while an update of then is worked on.

    Of an update only Telegram's number and the hash stay for a week, so that it is recognised if it comes again.
    """
    of_then = (asked.person, asked.asked_at)
    async with store.transaction():
        if await store.row(
            "SELECT 1 FROM inbox WHERE person = ? AND received_at <= ? AND state = 'waiting'", *of_then
        ):
            return False
        await store.change(
            "UPDATE inbox SET person = 0, body = '', state = 'done', done_at = coalesce(done_at, received_at)"
            " WHERE person = ? AND received_at <= ?",
            *of_then,
        )
        await store.change("DELETE FROM hold WHERE person = ?", asked.person)
        await store.change("DELETE FROM erasure WHERE person = ?", asked.person)
    return True
