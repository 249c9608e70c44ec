"""The database's file is checked each night, and what was deleted gives its space back."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import database_file
from bot import store as store_module
from bot.blobs import Blobs
from bot.config import Storage
from bot.store import Store
from bot.tidy import Tidy, seconds_until

FILLED = 4_000_000  # bytes


async def fill_and_empty(store: Store) -> None:
    async with store.transaction():
        for number in range(400):
            await store.change("INSERT INTO setting VALUES (?, ?)", f"x{number}", "y" * (FILLED // 400))
    await store.change("DELETE FROM setting WHERE name LIKE 'x%'")
    await store.empty_log()


async def test_deleted_rows_give_their_space_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps of many pages, each of which waits for the disk once, without writing the file anew."""
    path = tmp_path / "bot.sqlite"
    await fill_and_empty(store)
    assert path.stat().st_size > FILLED
    steps, alone = [], store.alone

    def counted(sql: str) -> Awaitable[None]:
        steps.append(sql)
        return alone(sql)

    monkeypatch.setattr(store, "alone", counted)
    await database_file.care(store, path)
    assert len(steps) <= FILLED / 4096 / database_file.STEP_PAGES + 1
    await store.empty_log()
    assert path.stat().st_size < FILLED / 4  # the tables and indexes alone are half a megabyte


async def test_an_older_file_is_written_anew_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was made before it could be shrunk in steps; the rows are all there."""
    path = tmp_path / "bot.sqlite"
    monkeypatch.setattr(store_module, "PRAGMAS", store_module.PRAGMAS[1:])
    store = await Store.open(path)
    assert await store.value("PRAGMA auto_vacuum") == 0
    await store.change("INSERT INTO setting VALUES ('kept', '1')")
    await fill_and_empty(store)
    await database_file.care(store, path)
    await store.empty_log()
    assert path.stat().st_size < FILLED / 6
    assert await store.value("PRAGMA auto_vacuum") == database_file.INCREMENTAL
    assert await store.value("SELECT value FROM setting WHERE name = 'kept'") == "1"
    await store.close()


async def test_a_large_file_with_little_free_space_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody would wait for nothing."""
    monkeypatch.setattr(store_module, "PRAGMAS", store_module.PRAGMAS[1:])
    monkeypatch.setattr(database_file, "SMALL_BYTES", 1000)
    store = await Store.open(tmp_path / "bot.sqlite")
    await database_file.care(store, tmp_path / "bot.sqlite")
    assert await store.value("PRAGMA auto_vacuum") == 0
    await store.close()


async def test_a_damaged_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A page that was overwritten is found, and the admins are told; the bot goes on as far as it can."""
    path = tmp_path / "bot.sqlite"
    store = await Store.open(path)
    async with store.transaction():
        for number in range(400):
            await store.change("INSERT INTO setting VALUES (?, ?)", f"x{number}", "y" * 1000)
    await store.empty_log()
    await database_file.care(store, path)
    assert not caplog.records
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'setting'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    await database_file.care(store, path)
    assert "the database is damaged" in caplog.text
    assert caplog.records[-1].admins == ("admin-database-damaged", {})  # type: ignore[attr-defined]
    await store.close()


async def test_a_locked_file_is_left_for_the_next_night(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program writes: the check is left out, and one line says that the space is not given back."""
    path = tmp_path / "bot.sqlite"
    store = await Store.open(path)
    await store.rows("PRAGMA busy_timeout = 10")
    await store.alone("PRAGMA auto_vacuum = NONE")
    await store.alone("VACUUM")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await database_file.care(store, path)
    assert "free space stays for now" in caplog.text
    await store.close()


async def test_the_check_is_made_once_a_night(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that is started again and again does not check a large file each time."""
    calls: list[Path] = []

    async def care(store: Store, path: Path) -> None:
        calls.append(path)

    monkeypatch.setattr(database_file, "care", care)
    tidy = Tidy(store=store, blobs=Blobs(tmp_path / "blobs", store), storage=Storage(dir=tmp_path))
    for _ in range(3):
        await tidy._care_if_due()
    assert calls == [tmp_path / "bot.sqlite"]


def test_the_night_begins_at_the_hour() -> None:
    """Today's if it is to come, else tomorrow's."""
    assert seconds_until(4, datetime(2026, 5, 1, 3, 0, tzinfo=UTC)) == 3600
    assert seconds_until(4, datetime(2026, 5, 1, 4, 0, tzinfo=UTC)) == 24 * 3600
    assert seconds_until(0, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == 60
