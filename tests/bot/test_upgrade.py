"""A database of every released step is brought to the newest shape, loses no row, and serves people."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.migrations import MIGRATIONS
from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.make_stored import FOLDER
from tests.bot.marked import visit

GONE = {"deed", "pack_question"}  # tables that a later step has dropped on purpose


def counts(path: Path) -> dict[str, int]:
    """The number of rows of each table."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(path)) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for (table,) in db.execute(names).fetchall()
        }


def test_every_step_is_stored() -> None:
    """Who adds a migration runs ``python -m tests.bot.make_stored``."""
    assert sorted(file.stem for file in FOLDER.glob("*.sql")) == [
        f"{step:02}" for step in range(1, len(MIGRATIONS) + 1)
    ]


@pytest.mark.parametrize("step", range(1, len(MIGRATIONS) + 1))
async def test_a_stored_database_is_upgraded_and_a_visit_works(stage: Stage, ada: Person, step: int) -> None:
    """Samples, training, sticker and pack, beside rows of that time; for most steps only an answer."""
    path = stage.config.storage.dir / "bot.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript((FOLDER / f"{step:02}.sql").read_text(encoding="utf-8"))
    before = counts(path)
    assert min(before.values()) == 1
    async with stage.bot() as running:
        assert await running.parts.store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert await running.parts.store.rows("PRAGMA foreign_key_check") == []
        if step % 4 == 1 or step == len(MIGRATIONS):  # each visit takes a second
            await visit(stage, ada)
        else:
            await ada.send("/start")
            await ada.wait_for("/new")
    after = counts(path)
    lost = {table for table, rows in before.items() if after.get(table, 0) < rows}
    assert lost <= GONE | {"outbox", "refusal", "erasure", "import_item", "export"}, (
        lost
    )  # what the start works off
