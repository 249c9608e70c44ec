"""The outbox: texts that must reach their person, stored in the transaction that makes them necessary."""

from __future__ import annotations

from bot.store import Store


async def put(store: Store, person: int, text: str) -> None:
    """Store HTML to be sent."""
    await store.change("INSERT INTO outbox (person, text) VALUES (?, ?)", person, text)


async def of_person(store: Store, person: int) -> list[tuple[int, str]]:
    """A person's (id, text), oldest first."""
    rows = await store.rows("SELECT id, text FROM outbox WHERE person = ? ORDER BY id", person)
    return [(row["id"], row["text"]) for row in rows]


async def sent(store: Store, id: int) -> None:
    """Forget a text that has been sent, or that can never be."""
    await store.change("DELETE FROM outbox WHERE id = ?", id)


async def people_waiting(store: Store) -> list[int]:
    """Who has texts to get."""
    return [row[0] for row in await store.rows("SELECT DISTINCT person FROM outbox")]
