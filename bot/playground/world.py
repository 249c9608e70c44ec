"""The state of the playground: one bot, its people, and their messages."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.playground.files import Files
from bot.playground.groups import Groups, is_shown
from bot.playground.inline_queries import InlineQueries
from bot.playground.limits import bad_request, forbidden
from bot.playground.sets import Sets
from bot.playground.state import open_state, transaction
from bot.playground.updates import Bell, Presses, Updates
from bot.playground.webhooks import Delivery
from bot.playground.wire import Json


@dataclass(frozen=True, kw_only=True)
class BotAccount:
    """The playground's only bot. Its token is ``id:secret``, as Telegram's are."""

    token: str = field(repr=False)
    username: str = "playground_bot"
    first_name: str = "Stickersmith"

    @property
    def id(self) -> int:
        """The number before the colon."""
        return int(self.token.partition(":")[0])

    def json(self) -> Json:
        """The bot as a User of the Bot API."""
        return {"id": self.id, "is_bot": True, "first_name": self.first_name, "username": self.username}


class World:
    """The state as one object, which every method gets. It is stored, so it survives the process."""

    def __init__(self, folder: Path, bot: BotAccount) -> None:
        self._db = open_state(folder)
        self.bot = bot
        self.files = Files(self._db, folder / "files")
        self.updates = Updates(self._db)
        self.delivery = Delivery(self.updates)
        self.presses = Presses(self._db)
        self.inline = InlineQueries(self._db)
        self.sets = Sets(self._db, self.files)
        self.people = People(self._db)
        self.groups = Groups(self._db)
        self.log = Log(self._db)

    @contextmanager
    def change(self) -> Iterator[None]:
        """All writes inside, or none."""
        with transaction(self._db):
            yield

    def setting(self, name: str) -> Json:
        """A stored object, ``{}`` if it was never stored."""
        row = self._db.execute("SELECT body FROM setting WHERE name = ?", (name,)).fetchone()
        return dict(json.loads(row["body"])) if row else {}

    def store_setting(self, name: str, body: Json) -> None:
        """Keep an object under a name."""
        self._db.execute("REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(body)))

    def chat(self, id: int) -> Json:
        """A private chat or a group as a Chat of the Bot API."""
        return self.groups.chat(id) if id < 0 else self.people.chat(id)

    def check_reachable(self, chat: int) -> None:
        """Raise Telegram's error unless the bot may write to this chat."""
        if chat < 0:
            self.groups.check_reachable(chat)
        else:
            self.people.check_reachable(chat)

    def say(self, chat: int, content: Json, *, from_bot: bool, author: int | None = None) -> Json:
        """A new message in a chat; gives the Message. ``author`` is who writes in a group."""
        user = self.bot.json() if from_bot else self.people.user(author or chat)
        with self.change():
            row = self._db.execute("INSERT INTO message (person, body) VALUES (?, '') RETURNING id", (chat,))
            head = {"message_id": row.fetchone()["id"], "from": user, "chat": self.chat(chat)}
            message: Json = head | {"date": int(time.time())} | content
            self._store(chat, message)
            self.show(chat, {"kind": "message", "message": message})
            if not from_bot:
                self._tell_bot("message", message)
                if chat > 0:
                    self.people.start(chat)
        return message

    def show(self, chat: int, event: Json) -> None:
        """Let everybody in a chat see an event. In a group its kind begins with ``group_``."""
        if chat > 0:
            self.log.add(chat, event)
            return
        for person in self.groups.members(chat):
            self.log.add(person, event | {"kind": f"group_{event['kind']}", "chat": chat})

    def edited(self, chat: int, message: Json) -> None:
        """A person has changed their message."""
        with self.change():
            self.revise(chat, message)
            self._tell_bot("edited_message", message)

    def _tell_bot(self, kind: str, message: Json) -> None:
        """An update, unless privacy mode hides the message or the bot is not in the group."""
        chat = message["chat"]["id"]
        if chat > 0 or (self.groups.has_bot(chat) and is_shown(message, self.bot.json())):
            self.updates.add(kind, message)

    def revise(self, person: int, message: Json) -> Json:
        """Put an edited message in the place of the old one; gives it back."""
        with self.change():
            self._store(person, message)
            self.show(person, {"kind": "edit", "message": message})
        return message

    def message(self, person: int, message_id: int) -> Json | None:
        """A message of this chat, None if there is none (any more)."""
        query = "SELECT body FROM message WHERE id = ? AND person = ?"
        row = self._db.execute(query, (message_id, person)).fetchone()
        return dict(json.loads(row["body"])) if row else None

    def messages(self, person: int) -> list[Json]:
        """The whole chat with a person, oldest first."""
        rows = self._db.execute("SELECT body FROM message WHERE person = ? ORDER BY id", (person,))
        return [json.loads(row["body"]) for row in rows]

    def delete(self, person: int, message_id: int) -> bool:
        """Remove a message for both sides; whether there was one."""
        with self.change():
            query = "DELETE FROM message WHERE id = ? AND person = ?"
            found = self._db.execute(query, (message_id, person)).rowcount > 0
            if found:
                self.show(person, {"kind": "delete", "message_id": message_id})
        return found

    def release(self) -> None:
        """Wake all who wait for updates or events, for the server is about to end."""
        self.updates.close()
        self.log.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _store(self, person: int, message: Json) -> None:
        query = "UPDATE message SET body = ? WHERE id = ? AND person = ?"
        self._db.execute(query, (json.dumps(message), message["message_id"], person))


class People:
    """The people of the playground. Each has one private chat with the bot, whose id is the person's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, first_name: str, *, username: str | None = None, language_code: str | None = None) -> int:
        """A new person, who has not talked to the bot yet; gives the id."""
        query = "INSERT INTO person (first_name, username, language_code) VALUES (?, ?, ?) RETURNING id"
        return int(self._db.execute(query, (first_name, username, language_code)).fetchone()["id"])

    def all(self) -> list[Json]:
        """Everybody as a User, in the order of arrival."""
        return [_user(row) for row in self._db.execute("SELECT * FROM person ORDER BY id")]

    def user(self, person: int) -> Json:
        """The person as a User of the Bot API."""
        return _user(self._row(person))

    def chat(self, person: int) -> Json:
        """The private chat with the person as a Chat of the Bot API."""
        user = self.user(person)
        return {"id": person, "type": "private"} | {
            k: user[k] for k in ("first_name", "username") if k in user
        }

    def known(self, person: int) -> bool:
        """Whether there is such a person at all."""
        return self._db.execute("SELECT 1 FROM person WHERE id = ?", (person,)).fetchone() is not None

    def started(self, person: int) -> bool:
        """Whether the person has ever talked to the bot."""
        return self.known(person) and bool(self._row(person)["started"])

    def start(self, person: int) -> None:
        """The person talks to the bot, which also ends a block."""
        self._db.execute("UPDATE person SET started = 1, blocked = 0 WHERE id = ?", (person,))

    def speak(self, person: int, language_code: str) -> None:
        """The person's Telegram speaks another language; "" is none."""
        self._db.execute("UPDATE person SET language_code = ? WHERE id = ?", (language_code or None, person))

    def block(self, person: int) -> None:
        """The person blocks the bot."""
        self._db.execute("UPDATE person SET blocked = 1 WHERE id = ?", (person,))

    def check_reachable(self, person: int) -> None:
        """Raise Telegram's error unless the bot may write to this person."""
        if not self.started(person):
            raise bad_request("chat not found")
        if self._row(person)["blocked"]:
            raise forbidden("bot was blocked by the user")

    def _row(self, person: int) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute("SELECT * FROM person WHERE id = ?", (person,)).fetchone()
        if row is None:
            raise bad_request("chat not found")
        return row


class Log:
    """What a person sees happen, numbered: new, edited and deleted messages, answers to presses, packs."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._bell = Bell()
        self._closing = False

    def add(self, person: int, event: Json) -> None:
        """Append an event and wake who waits for it."""
        self._db.execute("INSERT INTO event (person, body) VALUES (?, ?)", (person, json.dumps(event)))
        self._bell.ring()

    def last(self) -> int:
        """The number of the newest event of anybody."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])

    async def after(self, person: int, seq: int, seconds: float) -> list[Json]:
        """A person's events after number ``seq``, waiting up to ``seconds`` for the first."""
        end = time.monotonic() + seconds
        while not (found := self._events(person, seq)) and not self._closing:
            if (left := end - time.monotonic()) <= 0:
                break
            await self._bell.wait(left)
        return found

    def close(self) -> None:
        """Wake all who wait: the server is about to end."""
        self._closing = True
        self._bell.ring()

    def _events(self, person: int, seq: int) -> list[Json]:
        query = "SELECT * FROM event WHERE person = ? AND seq > ? ORDER BY seq LIMIT 200"
        return [
            {"seq": row["seq"]} | json.loads(row["body"]) for row in self._db.execute(query, (person, seq))
        ]


def _user(row: sqlite3.Row) -> Json:
    user: Json = {"id": row["id"], "is_bot": False, "first_name": row["first_name"]}
    return user | {name: row[name] for name in ("username", "language_code") if row[name]}
