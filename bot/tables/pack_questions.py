"""What the bot has asked a person about their packs: their next text is the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.store import Store

ANSWER_SECONDS = 600.0  # later texts are no answers, unless they reply to the question


@dataclass(frozen=True, kw_only=True)
class Question:
    """``kind`` is "new", "title", "emoji", "keywords" or "move"; ``id`` that of the pack or of the pack_item."""

    person: int
    kind: str
    id: int
    message_id: int
    view: int | None  # the bot's message that shows the pack
    at: float  # seconds since 1970


async def put(
    store: Store, person: int, kind: str, id: int, *, message_id: int, view: int | None = None
) -> None:
    """The bot has asked; an older question is not waited for any more."""
    await store.change(
        "REPLACE INTO pack_question VALUES (?, ?, ?, ?, ?, ?)",
        person,
        kind,
        id,
        message_id,
        view,
        time.time(),
    )


async def get(store: Store, person: int, reply_to: int | None) -> Question | None:
    """The question that a person's text answers: a recent one, or the one that it replies to."""
    row = await store.row("SELECT * FROM pack_question WHERE person = ?", person)
    if row is None or reply_to not in (None, row["message_id"]):
        return None
    if reply_to is None and time.time() - row["at"] > ANSWER_SECONDS:
        return None
    return Question(**dict(row))


async def forget(store: Store, person: int) -> None:
    """The question is answered, or the person does something else."""
    if await store.row("SELECT 1 FROM pack_question WHERE person = ?", person) is not None:
        await store.change("DELETE FROM pack_question WHERE person = ?", person)
