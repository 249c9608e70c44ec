"""The files that people and the bot have sent, by the ids that Telegram would give them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.playground.limits import bad_request
from bot.playground.wire import Json

# The start of a real file_id tells the kind; the folder is part of the path that getFile gives.
KINDS = {
    "photo": ("AgACAgI", "photos"),
    "sticker": ("CAACAgI", "stickers"),
    "document": ("BQACAgI", "documents"),
}


@dataclass(frozen=True, kw_only=True)
class Content:
    """Content to store as a file. ``size`` is in pixels, (0, 0) if it is no picture."""

    kind: str
    data: bytes = field(repr=False)
    mime: str
    suffix: str
    name: str | None = field(default=None, repr=False)
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class File:
    """One stored file. ``unique_id`` is the same for everybody, but another one for every upload."""

    id: int
    file_id: str
    unique_id: str
    path: str
    kind: str
    mime: str
    name: str | None = field(repr=False)
    size: int
    width: int
    height: int
    photo: int | None  # the sizes of one photo share this number

    def json(self) -> Json:
        """The fields that every kind of file has in the Bot API."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": self.size}


class Files:
    """Rows in the database, bytes in ``folder``. A file's name is its row id, never a text from outside."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._db = db
        self._folder = folder

    def add(self, content: Content) -> File:
        """Keep a file under new ids."""
        prefix, folder = KINDS[content.kind]
        file_id, unique_id = prefix + secrets.token_urlsafe(42), secrets.token_urlsafe(11)
        name, size = content.name, len(content.data)
        row = self._db.execute(
            "INSERT INTO file (file_id, unique_id, path, kind, mime, name, size, width, height)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (file_id, unique_id, f"new/{unique_id}", content.kind, content.mime, name, size, *content.size),
        ).fetchone()
        (self._folder / str(row["id"])).write_bytes(content.data)
        path = f"{folder}/file_{row['id']}.{content.suffix}"
        self._db.execute("UPDATE file SET path = ? WHERE id = ?", (path, row["id"]))
        return self.by_row(row["id"])

    def copy(self, file: File) -> File:
        """The same picture under ids of its own, as Telegram makes one for a sticker set."""
        size = (file.width, file.height)
        suffix = file.path.rpartition(".")[2]
        return self.add(
            Content(kind=file.kind, data=self.read(file), mime=file.mime, suffix=suffix, size=size)
        )

    def add_photo(self, sizes: Sequence[Content]) -> list[File]:
        """Keep the sizes of one photo, so that the id of any of them finds them all."""
        files = [self.add(size) for size in sizes]
        for file in files:
            self._db.execute("UPDATE file SET photo = ? WHERE id = ?", (files[0].id, file.id))
        return self.photo(files[0])

    def photo(self, file: File) -> list[File]:
        """All sizes of the photo that ``file`` is one size of, smallest first."""
        query = "SELECT * FROM file WHERE id = ? OR photo = ? ORDER BY width"
        return [_file(row) for row in self._db.execute(query, (file.id, file.photo or file.id))]

    def by_row(self, row_id: int) -> File:
        """The file with this row id."""
        return _file(self._db.execute("SELECT * FROM file WHERE id = ?", (row_id,)).fetchone())

    def by_id(self, file_id: str) -> File:
        """The file with this file_id, or Telegram's refusal."""
        row = self._db.execute("SELECT * FROM file WHERE file_id = ?", (file_id,)).fetchone()
        if row is None:
            raise bad_request("wrong remote file identifier specified: Wrong string length")
        return _file(row)

    def by_path(self, path: str) -> File | None:
        """The file that getFile named ``path``."""
        row = self._db.execute("SELECT * FROM file WHERE path = ?", (path,)).fetchone()
        return None if row is None else _file(row)

    def read(self, file: File) -> bytes:
        """The bytes."""
        return self.place(file).read_bytes()

    def place(self, file: File) -> Path:
        """The path of the bytes."""
        return self._folder / str(file.id)


def _file(row: sqlite3.Row) -> File:
    return File(**dict(row))
