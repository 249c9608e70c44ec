"""People: who they are, and which style they are working on."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who chats with the bot. ``style`` is the one that commands are about."""

    id: int
    name: str = field(repr=False)
    language: str
    style: int | None
    blocked: int


async def see(store: Store, *, id: int, name: str, language: str) -> Person:
    """The person as stored, made or brought up to date; who writes has not blocked the bot any more."""
    known = await store.row("SELECT * FROM person WHERE id = ?", id)
    if known and (known["name"], known["language"], known["blocked"]) == (name, language, 0):
        return Person(**dict(known))  # most updates: nothing to write
    row = await store.row(
        "INSERT INTO person (id, name, language) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, language = excluded.language, blocked = 0 RETURNING *",
        id,
        name,
        language,
    )
    assert row is not None
    return Person(**dict(row))


async def get(store: Store, id: int) -> Person:
    """The person with this id, who must exist."""
    row = await store.row("SELECT * FROM person WHERE id = ?", id)
    assert row is not None
    return Person(**dict(row))


async def work_on(store: Store, id: int, style: int) -> None:
    """Make ``style`` the person's current one."""
    await store.change("UPDATE person SET style = ? WHERE id = ?", style, id)


async def block(store: Store, id: int) -> None:
    """Remember that nothing can be sent to this person until they write again."""
    await store.change("UPDATE person SET blocked = 1 WHERE id = ?", id)
