"""The inbox: updates as Telegram gave them, stored before they are confirmed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.store import Store

KEEP_SECONDS = 7 * 24 * 3600  # a done update that Telegram sends again is recognised this long


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One stored update. ``tries`` counts how often its work was begun."""

    update_id: int
    person: int
    body: str = field(repr=False)
    tries: int
    done_at: float | None


async def put(store: Store, letters: Sequence[tuple[int, int, str]]) -> None:
    """Store (update id, person, JSON) all at once; what is there already stays as it is."""
    await store.change_many(
        "INSERT INTO inbox (update_id, person, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", letters
    )


async def next_of(store: Store, person: int) -> Letter | None:
    """The person's oldest update that is not done."""
    row = await store.row(
        "SELECT * FROM inbox WHERE person = ? AND done_at IS NULL ORDER BY update_id LIMIT 1", person
    )
    return None if row is None else Letter(**dict(row))


async def begin(store: Store, update_id: int) -> None:
    """Count a try before it starts, so that one that kills the process is counted too."""
    await store.change("UPDATE inbox SET tries = tries + 1 WHERE update_id = ?", update_id)


async def done(store: Store, update_id: int) -> None:
    """The update has been worked off; what it said is forgotten."""
    await store.change("UPDATE inbox SET done_at = ?, body = '' WHERE update_id = ?", time.time(), update_id)


async def waiting(store: Store, person: int) -> int:
    """How many of a person's updates are not done."""
    return int(await store.value("SELECT count(*) FROM inbox WHERE person = ? AND done_at IS NULL", person))


async def people_waiting(store: Store) -> list[int]:
    """Who has updates that are not done."""
    return [row[0] for row in await store.rows("SELECT DISTINCT person FROM inbox WHERE done_at IS NULL")]


async def forget_old(store: Store) -> None:
    """Delete what was done long ago."""
    await store.change("DELETE FROM inbox WHERE done_at < ?", time.time() - KEEP_SECONDS)
