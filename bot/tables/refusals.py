"""Pictures that were refused as samples, and what their person is told about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One message and the text of the locales (``key``) that says why nothing became of it."""

    message_id: int
    key: str
    params: dict[str, Any]


async def add(store: Store, person: int, message_id: int, key: str, params: dict[str, Any]) -> None:
    """Store why a message was refused; one that has been refused before has its answer already."""
    await store.change(
        "INSERT INTO refusal (person, message_id, key, params) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        person,
        message_id,
        key,
        json.dumps(params),
    )


async def unreported(store: Store, person: int) -> list[Refusal]:
    """A person's refusals that no message of the bot has told, oldest first."""
    return await _found(store, "person = ? AND answer_id IS NULL", person)


async def reported_by(store: Store, person: int, answer_id: int) -> list[Refusal]:
    """The refusals that a message of the bot has told."""
    return await _found(store, "person = ? AND answer_id = ?", person, answer_id)


async def report(store: Store, person: int, found: Sequence[Refusal], answer_id: int) -> None:
    """Remember that a message of the bot tells these."""
    await store.change_many(
        "UPDATE refusal SET answer_id = ? WHERE person = ? AND message_id = ?",
        [(answer_id, person, refusal.message_id) for refusal in found],
    )


async def people_to_answer(store: Store) -> list[int]:
    """Who has refusals that no message has told."""
    return [row[0] for row in await store.rows("SELECT DISTINCT person FROM refusal WHERE answer_id IS NULL")]


async def forget_told(store: Store) -> None:
    """Delete those that have been told."""
    await store.change("DELETE FROM refusal WHERE answer_id IS NOT NULL")


async def _found(store: Store, where: str, *params: object) -> list[Refusal]:
    rows = await store.rows(f"SELECT * FROM refusal WHERE {where} ORDER BY message_id", *params)  # noqa: S608 - constants only
    return [
        Refusal(message_id=row["message_id"], key=row["key"], params=json.loads(row["params"]))
        for row in rows
    ]
