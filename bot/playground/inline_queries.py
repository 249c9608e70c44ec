"""Inline queries: what a person types after @bot in any chat, and how the bot has answered."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time

from bot.playground import limits
from bot.playground.limits import bad_request
from bot.playground.updates import PRESS_TOO_OLD
from bot.playground.wire import Json


class InlineQueries:
    """The queries and their answers. An answer may be shown again for as long as the bot has allowed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, person: int, query: str, offset: str) -> str:
        """A new query's id."""
        query_id = str(secrets.randbits(62))
        values = (query_id, person, query, offset, time.time())
        self._db.execute(
            "INSERT INTO inline_query (id, person, query, page, at) VALUES (?, ?, ?, ?, ?)", values
        )
        return query_id

    def cached(self, person: int, query: str, offset: str) -> Json | None:
        """The answer that Telegram gives without asking the bot."""
        row = self._db.execute(
            "SELECT answer FROM inline_query WHERE query = ? AND page = ? AND until > ?"
            " AND (person = ? OR NOT personal) ORDER BY until DESC LIMIT 1",
            (query, offset, time.time(), person),
        ).fetchone()
        return None if row is None else dict(json.loads(row["answer"]))

    def answer(self, query_id: str, body: Json, *, seconds: float, personal: bool) -> int:
        """Store an answer; gives who asked. Refused if answered before or too old."""
        now = time.time()
        row = self._db.execute(
            "UPDATE inline_query SET answer = ?, until = ?, personal = ?"
            " WHERE id = ? AND answer IS NULL AND at > ? RETURNING person",
            (json.dumps(body), now + seconds, personal, query_id, now - limits.INLINE_SECONDS),
        ).fetchone()
        if row is None:
            raise bad_request(PRESS_TOO_OLD)
        return int(row["person"])

    def answered(self, person: int, query_id: str) -> tuple[str, Json]:
        """A query of this person, and its answer."""
        row = self._db.execute(
            "SELECT query, answer FROM inline_query WHERE id = ? AND person = ? AND answer IS NOT NULL",
            (query_id, person),
        ).fetchone()
        if row is None:
            raise bad_request("QUERY_ID_INVALID")
        return str(row["query"]), dict(json.loads(row["answer"]))
