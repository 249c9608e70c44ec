"""SQLite through one aiosqlite connection: transactions, queries, and the migrations on the way in.

Each commit waits for the disk. So single statements that wait at the same moment are committed together.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from bot.migrations import MIGRATIONS
from bot.state_log import StateLog
from bot.telling import telling_of
from bot.waiting import file_is_busy

log = logging.getLogger(__name__)

Clash = sqlite3.IntegrityError  # a row that may exist only once exists already
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 1000")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries while the file takes no writes, doubling

Result = TypeVar("Result")


@dataclass
class _Statement:
    """A single statement that waits for its turn."""

    run: Callable[[], Awaitable[Any]]
    result: asyncio.Future[Any]

    def end(self, value: Any, error: BaseException | None) -> None:
        """Wake who waits for it, unless they were cancelled."""
        if self.result.done():
            return
        if error is None:
            self.result.set_result(value)
        elif isinstance(error, asyncio.CancelledError):
            self.result.cancel()
        else:
            self.result.set_exception(error)


class Store:
    """The bot's database. One task at a time uses the connection; a transaction keeps it until it ends.

    What has been committed is on the disk (synchronous = FULL): an update is confirmed to Telegram right
    after it. While the file is locked by another program, read-only or on a full disk, statements and
    commits are tried again until they succeed. Only a transaction that SQLite itself has rolled back raises
    OperationalError then.
    """

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._waiting: list[_Statement] = []
        self._committing: asyncio.Task[None] | None = None
        self._state = StateLog(log, "the database can be written again")

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open or make the database file and bring it to the newest shape."""
        path.parent.mkdir(parents=True, exist_ok=True)
        db = await aiosqlite.connect(path, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            store = cls(db)
            for pragma in PRAGMAS:
                await store.rows(f"PRAGMA {pragma}")
            await store._migrate()
        except BaseException:
            await db.close()  # its thread would keep the process from ending
            raise
        return store

    async def close(self) -> None:
        """Close the file."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
        for statement in self._waiting:
            statement.result.cancel()
        await self._db.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All statements of this task inside, or none. May be nested; the outermost one counts."""
        if self._owner is asyncio.current_task():
            yield
            return
        async with self._lock:
            try:
                await self._persist(lambda: self._db.execute("BEGIN IMMEDIATE"), inside=False)
                self._owner = asyncio.current_task()
                yield
                await self._persist(lambda: self._db.execute("COMMIT"), inside=True)
            except BaseException:
                await self._roll_back()
                raise
            finally:
                self._owner = None

    async def rows(self, sql: str, *params: object) -> list[sqlite3.Row]:
        """All rows of a query, or of a change that says RETURNING."""
        return list(await self._one(lambda: self._db.execute_fetchall(sql, params)))

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
        return (await self._one(lambda: self._db.execute(sql, params))).rowcount

    async def change_many(self, sql: str, params: Sequence[Sequence[object]]) -> None:
        """Run one changing statement for each of ``params``, all or none."""
        async with self.transaction():
            await self._persist(lambda: self._db.executemany(sql, params), inside=True)

    async def empty_log(self) -> None:
        """Write the log (WAL) into the file and empty it, so that neither holds what was deleted.

        SQLite refuses that inside a transaction, so it is not run together with other statements. Nothing is done
        while another program uses the file.
        """
        async with self._lock:
            try:
                await self._db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                if not file_is_busy(error):
                    raise

    async def _one(self, run: Callable[[], Awaitable[Result]]) -> Result:
        """Run one statement: in this task's transaction, or committed with others that wait just now."""
        if self._owner is asyncio.current_task():
            return await self._persist(run, inside=True)
        statement = _Statement(run, asyncio.get_running_loop().create_future())
        self._waiting.append(statement)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        result: Result = await statement.result
        return result

    async def _commit_waiting(self) -> None:
        while self._waiting:
            async with self._lock:
                batch, self._waiting = self._waiting, []
                batch = [statement for statement in batch if not statement.result.done()]
                try:
                    if len(batch) < 2 or not await self._commit_together(batch):
                        for statement in batch:
                            await self._commit_alone(statement)
                except BaseException as error:
                    for statement in batch:
                        statement.end(None, error)
                    await self._roll_back()
                    raise

    async def _commit_together(self, batch: list[_Statement]) -> bool:
        """Run statements in one transaction; one that fails takes no other along. False: none has been run."""
        outcomes: list[tuple[Any, Exception | None]] = []
        try:
            await self._persist(lambda: self._db.execute("BEGIN IMMEDIATE"), inside=False)
            for statement in batch:
                try:
                    outcomes.append((await self._persist(statement.run, inside=True), None))
                except Exception as error:
                    if not self._db.in_transaction:
                        raise  # SQLite has rolled back the others too
                    outcomes.append((None, error))
            await self._persist(lambda: self._db.execute("COMMIT"), inside=True)
        except Exception:
            await self._roll_back()
            return False
        for statement, outcome in zip(batch, outcomes, strict=True):
            statement.end(*outcome)
        return True

    async def _commit_alone(self, statement: _Statement) -> None:
        try:
            statement.end(await self._persist(statement.run, inside=False), None)
        except Exception as error:
            await self._roll_back()
            statement.end(None, error)

    async def _persist(self, statement: Callable[[], Awaitable[Result]], *, inside: bool) -> Result:
        """Try a statement until the file takes it. Raises if that cannot help, or if SQLite has given up
        the transaction that it belongs to (``inside``).
        """
        pause = FIRST_PAUSE
        while True:
            try:
                result = await statement()
            except sqlite3.OperationalError as error:
                if not file_is_busy(error) or (inside and not self._db.in_transaction):
                    raise
                text = f"the database cannot be written, trying again: {error}"
                self._state.fails(str(error), text, extra=telling_of(error))
                if not inside:
                    await self._roll_back()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._state.works()
                return result

    async def _roll_back(self) -> None:
        """End what is open. A failed COMMIT leaves its transaction open, a failed BEGIN none."""
        if self._db.in_transaction:
            try:
                await self._db.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    log.error("a transaction could not be rolled back: %s", error)

    async def _migrate(self) -> None:
        done = await self.value("PRAGMA user_version")
        if done > len(MIGRATIONS):
            raise sqlite3.DatabaseError("the database was written by a newer version of the bot")
        for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
            # executescript would commit what is open, so the step brings its own transaction
            step = f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            await self._one(partial(self._db.executescript, step))
