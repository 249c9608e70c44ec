"""Values that the bot keeps over a restart, for example measured seconds per step: JSON by name."""

from __future__ import annotations

import json
from typing import Any

from bot.store import Store


async def read(store: Store, name: str) -> Any:
    """A stored JSON value, None if there is none."""
    text = await store.value("SELECT value FROM setting WHERE name = ?", name)
    return None if text is None else json.loads(text)


async def write(store: Store, name: str, value: Any) -> None:
    """Store a JSON value."""
    await store.change("REPLACE INTO setting VALUES (?, ?)", name, json.dumps(value))
