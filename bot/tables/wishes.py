"""Words that a link or a button draws. Telegram has room for a code only."""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode

from bot.store import Store

MOST = 50  # of one person: a query comes with almost every letter that is typed


async def put(store: Store, person: int, words: str) -> str:
    """Keep the words, and of the person the newest only; gives their code, the same for the same words."""
    code = urlsafe_b64encode(hashlib.sha256(words.encode()).digest()[:12]).decode()
    async with store.transaction():
        await store.change("REPLACE INTO wish VALUES (?, ?, ?, ?)", code, person, words, time.time())
        await store.change(
            "DELETE FROM wish WHERE person = ?1 AND code NOT IN"
            " (SELECT code FROM wish WHERE person = ?1 ORDER BY made_at DESC LIMIT ?2)",
            person,
            MOST,
        )
    return code


async def get(store: Store, person: int, code: str) -> str | None:
    """The words of a code of this person."""
    row = await store.row("SELECT words FROM wish WHERE person = ? AND code = ?", person, code)
    return None if row is None else str(row["words"])


async def forget_old(store: Store, before: float) -> None:
    """Delete the words of before then, in seconds since 1970."""
    await store.change("DELETE FROM wish WHERE made_at < ?", before)
