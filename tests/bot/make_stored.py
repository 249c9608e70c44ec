"""Writes ``tests/bot/stored/NN.sql``: a database of each migration step, with a row in every table.

python -m tests.bot.make_stored        (only steps that are not stored yet: a released one is not written anew)
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.migrations import MIGRATIONS, prepare

FOLDER = Path(__file__).with_name("stored")
PERSON = 7
VALUES: dict[str, object] = {  # by column: what rows hold of which a value has a meaning
    "person": PERSON,
    "keyword": "zuvix",
    "language": "en",
    "chosen_language": None,
    "blob": "ab" * 32,
    "state": "done",
    "told": 1,
    "blocked": 0,
    "severity": "advice",
    "code": "few",
    "scores": "[]",
    "reasons": "[]",
    "options": "{}",
    "params": "{}",
    "emoji": '["🦊"]',
    "keywords": "[]",
    "prompt": "a fox",
    "caption": "zuvix a fox",
    "note": None,
    "error": None,
    "lent_keyword": "",
    "lent_name": "",
    "trained_as": "",
    "renamed": None,
    "chat": None,
    "uncut": None,
    "background": None,
    "before": None,
    "sets": None,
    "was": None,
    "copy_of": None,
    "undoes": None,
    "old": None,
    "problem": None,
    "replaces": None,
    "target": None,
    "change": None,
}
OF_TABLES: dict[str, dict[str, object]] = {
    "person": {"id": PERSON, "name": "Ada", "style": 1, "username": "ada"},
    "job": {"kind": "train", "origin": "message 1", "attempt": 1, "steps": 100, "step": 100},
    "pack": {"state": "live", "name": "zuvix_by_bot", "kind": "regular"},
    "pack_sticker": {"state": "added"},
    "pack_change": {"kind": "title", "value": "null"},
    "inbox": {"body": ""},
    "setting": {"name": "stored by a test", "value": "1"},
    "erasure": {"person": 8},
    "ban": {"id": 9},
    "member": {"id": PERSON},
    "import": {"kind": "pack"},
    "import_item": {"outcome": "new", "moves": "", "emoji": "🦊"},
    "sample": {"kind": "file", "caption_from": "person", "emoji": "🦊"},
    "export": {"style": 0, "kind": "all"},
    "pack_question": {"kind": "title"},
    "question": {"kind": "title", "chat": PERSON},
    "usage": {"id": PERSON, "kind": "draw"},
    "admin_notice": {"key": "admin-disk-80"},
    "refusal": {"key": "too-large"},
}


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(exist_ok=True)
    for step in range(1, len(MIGRATIONS) + 1):
        file = FOLDER / f"{step:02}.sql"
        if not file.exists():
            file.write_text(dump(step), encoding="utf-8")


def dump(step: int) -> str:
    """SQL that makes a database as it was after this many steps."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.row_factory = sqlite3.Row
        prepare(db)
        for script in MIGRATIONS[:step]:
            db.executescript(script)
        triggers = [
            row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ]
        kept = [row["sql"] for row in db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            db.execute(f"DROP TRIGGER {name}")
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (table,) in db.execute(names).fetchall():
            _fill(db, table)
        for sql in kept:
            db.execute(sql)
        db.commit()
        return "\n".join([*db.iterdump(), f"PRAGMA user_version = {step};", ""])


def _fill(db: sqlite3.Connection, table: str) -> None:
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    row = {column["name"]: _value(table, column) for column in columns}
    marks = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def _value(table: str, column: sqlite3.Row) -> object:
    name = column["name"]
    if name in OF_TABLES.get(table, {}):
        return OF_TABLES[table][name]
    if name in VALUES and (VALUES[name] is not None or not column["notnull"]):
        return VALUES[name]
    return {"INTEGER": 1, "REAL": 1_700_000_000.0, "TEXT": f"{name}-1"}[column["type"]]


if __name__ == "__main__":
    main()
