"""The sticker sets: names, owners, and stickers in their order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence

from bot.playground.files import File, Files
from bot.playground.limits import bad_request
from bot.playground.state import transaction
from bot.playground.wire import Json


class Sets:
    """All sticker sets of the bot. It only stores; ``stickers.py`` checks the rules."""

    def __init__(self, db: sqlite3.Connection, files: Files) -> None:
        self._db = db
        self._files = files

    def exists(self, name: str) -> bool:
        """Whether the name is taken, in upper or lower case."""
        return self._db.execute("SELECT 1 FROM sticker_set WHERE name = ?", (name,)).fetchone() is not None

    def create(self, name: str, owner: int, title: str, type: str = "regular") -> None:
        """A new empty set. ``type`` is "regular" or "custom_emoji"."""
        body = json.dumps({"title": title, "type": type})
        self._db.execute("INSERT INTO sticker_set VALUES (?, ?, ?)", (name, owner, body))

    def type(self, name: str) -> str:
        """The type of a set's stickers. Raises ApiError STICKERSET_INVALID."""
        return str(json.loads(self._row(name)["body"]).get("type", "regular"))

    def owner(self, name: str) -> int:
        """The owner of a set. Raises ApiError STICKERSET_INVALID."""
        return int(self._row(name)["owner"])

    def owned(self, owner: int) -> list[str]:
        """The names of a person's sets."""
        rows = self._db.execute("SELECT name FROM sticker_set WHERE owner = ? ORDER BY rowid", (owner,))
        return [row["name"] for row in rows]

    def json(self, name: str) -> Json:
        """The StickerSet of the Bot API, or STICKERSET_INVALID."""
        row = self._row(name)
        body = json.loads(row["body"])
        stickers = [self.sticker_json(self._files.by_row(file)) for file in self.stickers(name)]
        found: Json = {
            "name": row["name"],
            "title": body["title"],
            "sticker_type": self.type(name),
            "stickers": stickers,
        }
        if thumbnail := body.get("thumbnail"):
            file = self._files.by_row(thumbnail)
            found["thumbnail"] = file.json() | {"width": file.width, "height": file.height}
        return found

    def update(self, name: str, **changes: object) -> None:
        """Change the title or the thumbnail (a row id of a file, or None)."""
        body = json.loads(self._row(name)["body"]) | changes
        self._db.execute("UPDATE sticker_set SET body = ? WHERE name = ?", (json.dumps(body), name))

    def delete(self, name: str) -> None:
        """Forget the set; its stickers that were sent stay readable."""
        self._row(name)
        with transaction(self._db):
            self._db.execute("DELETE FROM sticker WHERE set_name = ?", (name,))
            self._db.execute("DELETE FROM sticker_set WHERE name = ?", (name,))

    def stickers(self, name: str) -> list[int]:
        """The row ids of its files, in order."""
        rows = self._db.execute("SELECT file FROM sticker WHERE set_name = ? ORDER BY position", (name,))
        return [row["file"] for row in rows]

    def has(self, name: str, source: str) -> bool:
        """Whether the same sticker is in already: the same uploaded file, or one of its own stickers.

        The same bytes uploaded a second time are another file to Telegram, so they are not found here.
        """
        query = (
            "SELECT 1 FROM sticker JOIN file ON file.id = sticker.file"
            " WHERE set_name = ? AND (source = ? OR unique_id = ?)"
        )
        return self._db.execute(query, (name, source, source)).fetchone() is not None

    def append(
        self, name: str, file: File, *, source: str, emoji: Sequence[str], keywords: Sequence[str]
    ) -> None:
        """Put a sticker at the end."""
        self._db.execute(
            "INSERT INTO sticker VALUES (?, ?, ?, ?, ?, ?)",
            (file.id, name, len(self.stickers(name)), source, json.dumps(emoji), json.dumps(keywords)),
        )

    def set_of(self, file: File) -> str:
        """The name of the set that a sticker is in, or STICKERSET_INVALID."""
        row = self._db.execute("SELECT set_name FROM sticker WHERE file = ?", (file.id,)).fetchone()
        if row is None:
            raise bad_request("STICKERSET_INVALID")
        return str(self._row(row["set_name"])["name"])

    def remove(self, file: File) -> None:
        """Remove a sticker from its set; the set stays, even when empty."""
        self._reorder(self.set_of(file), lambda files: files.remove(file.id))
        self._db.execute("DELETE FROM sticker WHERE file = ?", (file.id,))

    def move(self, file: File, position: int) -> None:
        """Put a sticker at a zero-based position."""

        def moved(files: list[int]) -> None:
            files.remove(file.id)
            files.insert(position, file.id)

        self._reorder(self.set_of(file), moved)

    def describe(
        self, file: File, *, emoji: Sequence[str] | None = None, keywords: Sequence[str] | None = None
    ) -> None:
        """Change a sticker's emoji or its keywords."""
        self.set_of(file)
        if emoji is not None:
            self._db.execute("UPDATE sticker SET emoji = ? WHERE file = ?", (json.dumps(emoji), file.id))
        if keywords is not None:
            self._db.execute(
                "UPDATE sticker SET keywords = ? WHERE file = ?", (json.dumps(keywords), file.id)
            )

    def by_emoji_id(self, wanted: str) -> File | None:
        """The custom emoji with this id."""
        rows = self._db.execute("SELECT file, set_name FROM sticker")
        found = next((row for row in rows if emoji_id(row["file"]) == wanted), None)
        if found is None or self.type(found["set_name"]) != "custom_emoji":
            return None
        return self._files.by_row(found["file"])

    def details(self, name: str) -> list[Json]:
        """All emoji and keywords of each sticker: the page shows them, no bot can read them."""
        rows = self._db.execute("SELECT * FROM sticker WHERE set_name = ? ORDER BY position", (name,))
        return [{"emoji": json.loads(row["emoji"]), "keywords": json.loads(row["keywords"])} for row in rows]

    def sticker_json(self, file: File, emoji: str | None = None) -> Json:
        """The Sticker of the Bot API. One that is in a set has that set's name and its first emoji."""
        row = self._db.execute("SELECT * FROM sticker WHERE file = ?", (file.id,)).fetchone()
        sticker = file.json() | {"type": "regular", "width": file.width, "height": file.height}
        sticker |= {
            "is_animated": file.mime == "application/x-tgsticker",
            "is_video": file.mime == "video/webm",
        }
        if row is not None:
            sticker |= {
                "emoji": json.loads(row["emoji"])[0],
                "set_name": self._row(row["set_name"])["name"],
            }
            if self.type(row["set_name"]) == "custom_emoji":
                sticker |= {"type": "custom_emoji", "custom_emoji_id": emoji_id(file.id)}
            return sticker
        return sticker | ({"emoji": emoji} if emoji else {})

    def _row(self, name: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM sticker_set WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            raise bad_request("STICKERSET_INVALID")
        return row

    def _reorder(self, name: str, change: Callable[[list[int]], None]) -> None:
        files = self.stickers(name)
        change(files)
        with transaction(self._db):
            for position, file in enumerate(files):
                self._db.execute("UPDATE sticker SET position = ? WHERE file = ?", (position, file))


def emoji_id(file: int) -> str:
    """The custom_emoji_id of a sticker: as on Telegram a text of 19 digits."""
    return str(5_000_000_000_000_000_000 + file)
