"""When the admins were told last of each kind of failure."""

from __future__ import annotations

import time

from bot.store import Store


async def due(store: Store, key: str, pause: float) -> bool:
    """Whether the admins were not told of this in the last ``pause`` seconds. Then it counts as told from now on.

    A notice from the future is of a clock that was ahead.
    """
    changed = await store.change(
        "INSERT INTO admin_notice (key, told_at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE"
        " SET told_at = ?2 WHERE told_at NOT BETWEEN ?2 - ?3 AND ?2",
        key,
        time.time(),
        pause,
    )
    return bool(changed)
