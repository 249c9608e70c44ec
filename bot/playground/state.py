"""The playground's own database and files, so that it can be ended and started again with its bot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    id INTEGER PRIMARY KEY AUTOINCREMENT, first_name TEXT NOT NULL, username TEXT,
    language_code TEXT, started INTEGER NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file_id TEXT NOT NULL UNIQUE, unique_id TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, mime TEXT NOT NULL, name TEXT, size INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, photo INTEGER);
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS message_person ON message (person, id);
CREATE TABLE IF NOT EXISTS waiting_update (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS press (
    id TEXT PRIMARY KEY, person INTEGER NOT NULL, at REAL NOT NULL, answered INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_person ON event (person, seq);
CREATE TABLE IF NOT EXISTS sticker_set (
    name TEXT PRIMARY KEY COLLATE NOCASE, owner INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sticker (
    file INTEGER PRIMARY KEY, set_name TEXT NOT NULL COLLATE NOCASE, position INTEGER NOT NULL,
    source TEXT NOT NULL, emoji TEXT NOT NULL, keywords TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chat_group (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, has_bot INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS member (chat INTEGER NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (chat, person));
CREATE TABLE IF NOT EXISTS inline_query (
    id TEXT PRIMARY KEY, person INTEGER NOT NULL, query TEXT NOT NULL, page TEXT NOT NULL, at REAL NOT NULL,
    answer TEXT, until REAL NOT NULL DEFAULT 0, personal INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
FIRST_IDS = {"person": 500_000_001, "message": 1, "waiting_update": 100_000_001, "event": 1, "file": 1}


def open_state(folder: Path) -> sqlite3.Connection:
    """The database in ``folder``, made on the first run. Everything written survives the process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    db = sqlite3.connect(folder / "playground.sqlite", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")  # safe against a killed process; a power cut ends the play
    db.executescript(f"BEGIN;{SCHEMA}COMMIT;")
    for table, first in FIRST_IDS.items():
        if not db.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", (table,)).fetchone():
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, first - 1))
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All writes inside, or none. May be nested; the outermost one counts."""
    if db.in_transaction:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
