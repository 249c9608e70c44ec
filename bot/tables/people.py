"""People: name, language, current style, and whether they have blocked the bot."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who chats with the bot. ``style`` is the current one, which commands without a style mean."""

    id: int
    name: str = field(repr=False)
    language: str
    style: int | None
    blocked: bool


def _person(row: sqlite3.Row) -> Person:
    return Person(**(dict(row) | {"blocked": bool(row["blocked"])}))


async def see(store: Store, *, id: int, name: str, language: str) -> Person:
    """Store who has just written: a new person, or the new name and language. They have not blocked the bot."""
    known = await store.row("SELECT * FROM person WHERE id = ?", id)
    if known and (known["name"], known["language"], known["blocked"]) == (name, language, 0):
        return _person(known)  # nothing to write, as for most updates
    row = await store.row(
        "INSERT INTO person (id, name, language) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, language = excluded.language, blocked = 0 RETURNING *",
        id,
        name,
        language,
    )
    assert row is not None
    return _person(row)


async def get(store: Store, id: int) -> Person:
    """The person with this id, who must exist."""
    row = await store.row("SELECT * FROM person WHERE id = ?", id)
    assert row is not None
    return _person(row)


async def work_on(store: Store, id: int, style: int) -> None:
    """Make ``style`` the person's current one."""
    await store.change("UPDATE person SET style = ? WHERE id = ?", style, id)


async def block(store: Store, id: int) -> None:
    """Remember that the person has blocked the bot: nothing can be sent until they write again."""
    await store.change("UPDATE person SET blocked = 1 WHERE id = ?", id)
