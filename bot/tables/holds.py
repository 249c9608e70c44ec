"""Waits that Telegram has asked for (429): which method, for which person, until when."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Hold:
    """``method`` must not be called for ``person`` before ``until`` (seconds since 1970)."""

    person: int
    method: str
    until: float
    message_id: int | None  # the bot's message that tells the person of it


async def put(store: Store, person: int, method: str, until: float) -> None:
    """Store a wait; one that is there already gets the new time and keeps its message."""
    await store.change(
        "INSERT INTO hold (person, method, until) VALUES (?, ?, ?)"
        " ON CONFLICT (person, method) DO UPDATE SET until = excluded.until",
        person,
        method,
        until,
    )


async def all_left(store: Store) -> list[Hold]:
    """The waits that are not over."""
    rows = await store.rows("SELECT * FROM hold WHERE until > ?", time.time())
    return [Hold(**dict(row)) for row in rows]


async def message_of(store: Store, person: int) -> int | None:
    """The message that tells the person of a wait, if there is one."""
    found = await store.value(
        "SELECT message_id FROM hold WHERE person = ? AND message_id IS NOT NULL LIMIT 1", person
    )
    return None if found is None else int(found)


async def told(store: Store, person: int, message_id: int) -> None:
    """Remember the message that tells the person of their waits."""
    await store.change("UPDATE hold SET message_id = ? WHERE person = ?", message_id, person)


async def forget(store: Store, person: int) -> None:
    """Delete the person's waits that are over."""
    await store.change("DELETE FROM hold WHERE person = ? AND until <= ?", person, time.time())
