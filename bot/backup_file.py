"""What a backup is: a tar of a copy of the database and of every blob that it names, and how one is checked.

Members, in this order: ``manifest.json``, ``bot.sqlite``, ``blobs/ab/<sha256>``. The manifest has the sha256 of the
database, and the names of blobs that were lost or damaged before the backup was made.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from bot.blobs import COLUMNS
from bot.errors import ConfigError
from bot.migrations import MIGRATIONS

FORMAT = 1
MANIFEST, DATABASE = "manifest.json", "bot.sqlite"
BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
MANIFEST_BYTES = 64_000_000
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors that go away with free disk space


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup says of itself. ``step`` is the number of migrations, ``made_at`` is in seconds since 1970."""

    format: int
    step: int
    made_at: float
    sha256: str
    blobs: int
    size: int
    lost: list[str]

    def json(self) -> bytes:
        """The file in the archive."""
        return json.dumps(asdict(self), indent=1).encode()


def names_of_blobs(path: Path) -> set[str]:
    """Every blob that this database names. Older databases lack some of the columns."""
    found: set[str] = set()
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        for table, column in COLUMNS:
            if column in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
                found.update(row[0] for row in db.execute(f"SELECT {column} FROM {table}"))  # noqa: S608 - constants
    return {name for name in found if name}


def step_of(path: Path) -> int:
    """The number of migrations that this database has had."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def digest_of(path: Path) -> str:
    """The sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_full(error: OSError | sqlite3.Error) -> bool:
    """Whether free disk space would help."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def unpack(file: Path, folder: Path | None, scratch: Path) -> Manifest:
    """Check everything in a backup; write its blobs to ``folder`` (None: nowhere) and the database to ``scratch``.

    A name that is no blob's and no known file's is refused, so nothing is written anywhere else. Raises ConfigError.
    """
    try:
        with tarfile.open(file, "r:") as tar:
            members = iter(tar)
            manifest = _manifest(tar, next(members, None))
            database = scratch / DATABASE
            with _member(tar, next(members, None), DATABASE) as source:
                _copy(source, database, manifest.sha256)
            there = set(_blobs(tar, members, folder))
    except OSError as error:
        if is_full(error):
            todo = f"make room for {_size(file)} and try again"
            raise ConfigError(f"the disk of {scratch.parent} is full: {todo}") from error
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError) as error:
        raise ConfigError(f"{file} is no whole backup: {error}") from error
    _check_database(database)
    if missing := names_of_blobs(database) - there - set(manifest.lost):
        raise ConfigError(f"{file} is not whole: {len(missing)} files that its database names are not in it")
    return manifest


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo | None) -> Manifest:
    with _member(tar, member, MANIFEST) as source:
        try:
            manifest = Manifest(**json.loads(source.read(MANIFEST_BYTES)))
            whole = type(manifest.format) is int and type(manifest.step) is int and manifest.step >= 0
            if not whole or any(type(name) is not str for name in manifest.lost):
                raise TypeError("a value is of another type")
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError("its manifest cannot be read, so this is no backup of the bot") from error
    if manifest.format != FORMAT or manifest.step > len(MIGRATIONS):
        raise ConfigError("this backup was made by a newer version of the bot: install that one")
    return manifest


@contextmanager
def _member(tar: tarfile.TarFile, member: tarfile.TarInfo | None, name: str) -> Iterator[IO[bytes]]:
    """The content of a member that must have this name. Raises ConfigError."""
    if member is None or member.name != name or not member.isfile():
        raise ConfigError(f"{name} is not where it should be, so this is no backup of the bot")
    source = tar.extractfile(member)
    assert source is not None  # it is a file
    with source:
        yield source


def _blobs(tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], folder: Path | None) -> Iterator[str]:
    """The names of the blobs, each checked and, if there is a folder, written."""
    for member in members:
        match = BLOB.fullmatch(member.name)
        if match is None:
            raise ConfigError(f"{member.name!r} does not belong into a backup; nothing was restored")
        with _member(tar, member, member.name) as source:
            _copy(source, folder and folder / match[1] / match[2], match[2])
        yield match[2]


def _copy(source: IO[bytes], path: Path | None, sha256: str) -> None:
    """Write a file, if there is a path, and check its content. Raises ConfigError."""
    if path is None:
        found = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(source, file)
        found = digest_of(path)
    if found != sha256:
        raise ConfigError(f"the content of {sha256[:12]} has changed: this backup is damaged")


def _check_database(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"the database in it cannot be read: {error}") from error
    if found != "ok":
        raise ConfigError(f"the database in it is damaged: {found}")
