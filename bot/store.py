"""SQLite through one aiosqlite connection: transactions, queries, and the migrations on the way in."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite

from bot.migrations import MIGRATIONS

Clash = sqlite3.IntegrityError  # a row that may exist only once exists already
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000")


class Store:
    """The bot's database. One task at a time uses the connection; a transaction keeps it until it ends.

    What has been committed is on the disk (synchronous = FULL): an update is confirmed to Telegram right
    after it.
    """

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open or make the database file and bring it to the newest shape."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = await aiosqlite.connect(path, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            for pragma in PRAGMAS:
                await db.execute(f"PRAGMA {pragma}")
            store = cls(db)
            await store._migrate()
        except BaseException:
            await db.close()  # its thread would keep the process from ending
            raise
        return store

    async def close(self) -> None:
        """Close the file."""
        await self._db.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All statements of this task inside, or none. May be nested; the outermost one counts."""
        if self._owner is asyncio.current_task():
            yield
            return
        async with self._lock:
            try:
                await self._db.execute("BEGIN IMMEDIATE")
                self._owner = asyncio.current_task()
                yield
            except BaseException:
                self._owner = None
                with suppress(sqlite3.OperationalError):  # where not even BEGIN went through
                    await self._db.execute("ROLLBACK")
                raise
            self._owner = None
            await self._db.execute("COMMIT")

    async def rows(self, sql: str, *params: object) -> list[sqlite3.Row]:
        """All rows of a query, or of a change that says RETURNING."""
        if self._owner is asyncio.current_task():
            return list(await self._db.execute_fetchall(sql, params))
        async with self._lock:
            return list(await self._db.execute_fetchall(sql, params))

    async def row(self, sql: str, *params: object) -> sqlite3.Row | None:
        """The first row, or None."""
        found = await self.rows(sql, *params)
        return found[0] if found else None

    async def value(self, sql: str, *params: object) -> Any:
        """The first column of the first row, or None."""
        found = await self.row(sql, *params)
        return None if found is None else found[0]

    async def change(self, sql: str, *params: object) -> int:
        """Run one changing statement; gives how many rows it changed."""
        async with self.transaction():
            return (await self._db.execute(sql, params)).rowcount

    async def change_many(self, sql: str, params: Sequence[Sequence[object]]) -> None:
        """Run one changing statement for each of ``params``, all or none."""
        async with self.transaction():
            await self._db.executemany(sql, params)

    async def _migrate(self) -> None:
        done = await self.value("PRAGMA user_version")
        if done > len(MIGRATIONS):
            raise sqlite3.DatabaseError("the database was written by a newer version of the bot")
        for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
            # executescript would commit what is open, so the step brings its own transaction
            await self._db.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
