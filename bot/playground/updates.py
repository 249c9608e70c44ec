"""The update queue: every update waits until a getUpdates with a higher offset confirms it."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from collections.abc import Collection
from contextlib import suppress

from bot.playground import limits
from bot.playground.limits import bad_request, conflict
from bot.playground.wire import Json

PRESS_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


class Bell:
    """Wakes all tasks that wait for a change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Sleep until the next ring, at most ``seconds``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)


class Updates:
    """The queue. Only one program can poll it: a new one gives the one before it a 409."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._bell = Bell()
        self._poller = 0
        self._closing = False

    def add(self, kind: str, body: Json) -> None:
        """Queue an update, unless the bot has said that it does not want its kind."""
        wanted = self._allowed()
        if wanted and kind not in wanted:
            return
        self._db.execute("INSERT INTO waiting_update (kind, body) VALUES (?, ?)", (kind, json.dumps(body)))
        self._bell.ring()

    def waiting(self) -> int:
        """How many updates are not confirmed yet."""
        return int(self._db.execute("SELECT count(*) FROM waiting_update").fetchone()[0])

    def drop(self) -> None:
        """Forget all waiting updates."""
        self._db.execute("DELETE FROM waiting_update")

    def allow(self, kinds: Collection[str]) -> None:
        """Remember which kinds of update are wanted from now on; none named means all."""
        self._db.execute("REPLACE INTO setting VALUES ('allowed_updates', ?)", (json.dumps(sorted(kinds)),))

    def _allowed(self) -> list[str]:
        row = self._db.execute("SELECT body FROM setting WHERE name = 'allowed_updates'").fetchone()
        return list(json.loads(row["body"])) if row else []

    async def poll(self, *, offset: int, limit: int, seconds: float) -> list[Json]:
        """Confirm what is before ``offset`` and give what follows, waiting for it up to ``seconds``."""
        if self.webhook:
            raise conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"
            )
        self._poller += 1
        mine = self._poller
        self._bell.ring()
        self._confirm(offset)
        end = time.monotonic() + seconds
        while not (found := self._next(limit)) and not self._closing:
            left = end - time.monotonic()
            if left <= 0:
                break
            await self._bell.wait(left)
            if mine != self._poller:
                if self.webhook:
                    raise conflict("terminated by setWebhook request")
                raise conflict(
                    "terminated by other getUpdates request; make sure that only one bot instance is running"
                )
        return found

    @property
    def webhook(self) -> Json:
        """url, secret and certificate (PEM) of the webhook; empty if there is none."""
        row = self._db.execute("SELECT body FROM setting WHERE name = 'webhook'").fetchone()
        return dict(json.loads(row["body"])) if row else {}

    def set_webhook(self, webhook: Json) -> None:
        """Deliver there from now on; ``{}`` = nowhere. Who polls is told so."""
        self._db.execute("REPLACE INTO setting VALUES ('webhook', ?)", (json.dumps(webhook),))
        self._poller += 1 if webhook else 0
        self._bell.ring()

    def oldest(self) -> list[tuple[int, Json]]:
        """Waiting updates, oldest first, each with the chat that it stays in order with."""
        return [(_chat(update), update) for update in self._next(limits.POLL_UPDATES)]

    def done(self, id: int) -> None:
        """An update was delivered."""
        self._db.execute("DELETE FROM waiting_update WHERE id = ?", (id,))

    def ring(self) -> None:
        """Wake who waits for updates."""
        self._bell.ring()

    async def changed(self, seconds: float) -> None:
        """Wait for a new update or another webhook, at most ``seconds``."""
        await self._bell.wait(seconds)

    def close(self) -> None:
        """Wake all who wait: the server is about to end."""
        self._closing = True
        self._bell.ring()

    def _confirm(self, offset: int) -> None:
        if offset < 0:  # counts from the end: all before those are forgotten
            last = "SELECT id FROM waiting_update ORDER BY id DESC LIMIT ?"
            query = f"DELETE FROM waiting_update WHERE id NOT IN ({last})"  # noqa: S608 - constants only
            self._db.execute(query, (-offset,))
        elif offset:
            self._db.execute("DELETE FROM waiting_update WHERE id < ?", (offset,))

    def _next(self, limit: int) -> list[Json]:
        rows = self._db.execute("SELECT * FROM waiting_update ORDER BY id LIMIT ?", (limit,))
        return [{"update_id": row["id"], row["kind"]: json.loads(row["body"])} for row in rows]


def _chat(update: Json) -> int:
    """The chat of an update, or the person of an inline query."""
    (body,) = (part for part in update.values() if isinstance(part, dict))
    about = body.get("message", body)
    return int(about["chat"]["id"] if "chat" in about else body["from"]["id"])


class Presses:
    """Button presses. Each can be answered once, within ``limits.CALLBACK_SECONDS``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, person: int) -> str:
        """A new callback query's id."""
        query_id = str(secrets.randbits(62))
        self._db.execute(
            "INSERT INTO press (id, person, at) VALUES (?, ?, ?)", (query_id, person, time.time())
        )
        return query_id

    def answer(self, query_id: str) -> int:
        """Mark as answered; gives the person who pressed. Refused if answered before or too old."""
        row = self._db.execute(
            "UPDATE press SET answered = 1 WHERE id = ? AND answered = 0 AND at > ? RETURNING person",
            (query_id, time.time() - limits.CALLBACK_SECONDS),
        ).fetchone()
        if row is None:
            raise bad_request(PRESS_TOO_OLD)
        return int(row["person"])
