"""What the bot has asked about a drawing: a reply to its message is the answer."""

from __future__ import annotations

from bot.store import Store


async def put(store: Store, person: int, message_id: int, drawing: int) -> None:
    """The bot's message asks the person about this drawing."""
    await store.change("REPLACE INTO question VALUES (?, ?, ?)", person, message_id, drawing)


async def get(store: Store, person: int, message_id: int) -> int | None:
    """The drawing that a message asks the person about; None if it asks nothing."""
    row = await store.row(
        "SELECT drawing FROM question WHERE person = ? AND message_id = ?", person, message_id
    )
    return None if row is None else int(row["drawing"])
