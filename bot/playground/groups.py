"""Group chats: their people, and which of their messages Telegram shows to a bot in privacy mode."""

from __future__ import annotations

import re
import sqlite3

from bot.playground.limits import bad_request, forbidden
from bot.playground.wire import Json

FIRST_ID = -1_001_000_000_000  # of supergroups; each further one is lower


class Groups:
    """The groups of the playground. The bot is a member of each until it is removed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, title: str, members: list[int]) -> int:
        """A new supergroup with the bot in it; gives its id."""
        lowest = self._db.execute("SELECT min(id) FROM chat_group").fetchone()[0]
        id = (lowest or FIRST_ID) - 1
        self._db.execute("INSERT INTO chat_group (id, title) VALUES (?, ?)", (id, title))
        for person in members:
            self._db.execute("INSERT OR IGNORE INTO member VALUES (?, ?)", (id, person))
        return id

    def chat(self, id: int) -> Json:
        """The group as a Chat of the Bot API."""
        return {"id": id, "type": "supergroup", "title": self._row(id)["title"]}

    def members(self, id: int) -> list[int]:
        """The people in a group."""
        rows = self._db.execute("SELECT person FROM member WHERE chat = ? ORDER BY person", (id,))
        return [row["person"] for row in rows]

    def of(self, person: int) -> list[Json]:
        """The groups that a person is in."""
        rows = self._db.execute("SELECT chat FROM member WHERE person = ? ORDER BY chat DESC", (person,))
        return [self.chat(row["chat"]) for row in rows]

    def remove_bot(self, id: int) -> None:
        """An admin removes the bot from the group."""
        self._db.execute("UPDATE chat_group SET has_bot = 0 WHERE id = ?", (id,))

    def has_bot(self, id: int) -> bool:
        """Whether the bot is in the group."""
        return bool(self._row(id)["has_bot"])

    def check_reachable(self, id: int) -> None:
        """Raise Telegram's error unless the bot may write there."""
        if not self.has_bot(id):
            raise forbidden("bot was kicked from the supergroup chat")

    def _row(self, id: int) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM chat_group WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise bad_request("chat not found")
        return row


def is_shown(message: Json, bot: Json) -> bool:
    """Whether a bot in privacy mode gets a message of a group (https://core.telegram.org/bots/features#privacy-mode).

    Commands that name no other bot, replies to the bot, and what was sent by way of it.
    """
    text = message.get("text") or message.get("caption") or ""
    command = re.match(r"/[A-Za-z0-9_]+(?:@(\w+))?(?:\s|$)", text)
    if command is not None:
        return command[1] is None or command[1].lower() == bot["username"].lower()
    replied = message.get("reply_to_message", {}).get("from", {})
    return bool(replied.get("id") == bot["id"] or message.get("via_bot", {}).get("id") == bot["id"])
