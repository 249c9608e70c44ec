"""SQLite: transactions, queries, and the migrations on the way in.

A commit waits for the disk, in a thread of its own. So changes that wait at the same moment are committed together:
one hop to the thread and one wait for the disk for all of them. A query takes some microseconds, less than a hop to
a thread, so it is run where it is asked, on a connection of its own that never waits for a commit.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bot.migrations import MIGRATIONS, prepare
from bot.state_log import StateLog
from bot.telling import telling_of
from bot.waiting import file_is_busy

log = logging.getLogger(__name__)

Clash = sqlite3.IntegrityError  # a row that may exist only once exists already
READER_PRAGMAS = ("query_only = ON", "busy_timeout = 0")  # the loop must not wait inside SQLite
GATHER_SECONDS = 0.003  # for others to join; only if the last commit was less than BUSY_SECONDS ago
BUSY_SECONDS = 0.01
QUERIES_IN_A_ROW = 16  # then other tasks have a turn, also if one task does nothing but ask
# auto_vacuum counts for a new file only, and must be set before anything is written to it: see bot/database_file.py
PRAGMAS = (
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = NORMAL",  # for the migration: a step that a power cut undoes is done again at the next start
    "foreign_keys = ON",
    "busy_timeout = 1000",
)
DURABLE = "synchronous = FULL"  # from then on: the first commit takes the migration to the disk too
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries while the file takes no writes, doubling

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]


@dataclass
class _Change:
    """One change that waits for its turn."""

    run: Work
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
    """The bot's database. One task at a time changes it; a transaction keeps others from it until it ends.

    What has been committed is on the disk (synchronous = FULL): an update is confirmed to Telegram right
    after it. While the file is locked by another program, read-only or on a full disk, changes and
    commits are tried again until they succeed. Only a transaction that SQLite itself has rolled back raises
    OperationalError then.
    """

    def __init__(self, path: Path) -> None:
        self._db = _connect(path)  # for changes, used in the thread only
        self._reader = _connect(path)  # for queries, used in the loop's thread only
        self._thread = ThreadPoolExecutor(1, "database")
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._waiting: list[_Change] = []
        self._committing: asyncio.Task[None] | None = None
        self._committed = float("-inf")  # when changes were committed last, monotonic
        self._queries = 0
        self._state = StateLog(log, "the database can be written again")

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open or make the database file and bring it to the newest shape."""
        path.parent.mkdir(parents=True, exist_ok=True)
        store = cls(path)
        try:
            await store._persist(bring_up_to_date, inside=False)
            for pragma in READER_PRAGMAS:
                store._reader.execute(f"PRAGMA {pragma}")
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Close the file."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.gather(self._committing, return_exceptions=True)
        for change in self._waiting:
            change.result.cancel()
        self._reader.close()
        await self._in_thread(self._db.close)
        self._thread.shutdown()

    @property
    def failing(self) -> bool:
        """Whether the file took no query or change when it was last tried."""
        return self._state.failing

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All statements of this task inside, or none. May be nested; the outermost one counts."""
        if self._owner is asyncio.current_task():
            yield
            return
        async with self._lock:
            try:
                await self._persist(_execute("BEGIN IMMEDIATE"), inside=False)
                self._owner = asyncio.current_task()
                yield
                await self._persist(_execute("COMMIT"), inside=True)
            except BaseException:
                await self._in_thread(_roll_back, self._db)
                raise
            finally:
                self._owner = None

    async def rows(self, sql: str, *params: object) -> list[sqlite3.Row]:
        """All rows of a query, or of a change that says RETURNING."""
        if sql.startswith("SELECT") and self._owner is not asyncio.current_task():
            return await self._query(sql, params)
        found: list[sqlite3.Row] = await self._one(lambda db: db.execute(sql, params).fetchall())
        return found

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
        changed: int = await self._one(lambda db: db.execute(sql, params).rowcount)
        return changed

    async def change_many(self, sql: str, params: Sequence[Sequence[object]]) -> None:
        """Run one changing statement for each of ``params``, all or none."""
        await self._one(partial(_all_or_none, sql=sql, params=params))

    async def empty_log(self) -> None:
        """Write the log (WAL) into the file and empty it, so that neither holds what was deleted.

        Nothing is done while another program uses the file.
        """
        try:
            await self.alone("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            if not file_is_busy(error):
                raise

    async def alone(self, sql: str) -> None:
        """Run a statement that SQLite refuses inside a transaction, once: not together with others that wait.

        It is run to its end. ``execute`` would leave it after its first step if it gives rows without columns, as
        incremental_vacuum does, a row for each page.
        """
        async with self._lock:
            await self._in_thread(_script(sql), self._db)

    async def _query(self, sql: str, params: Sequence[object]) -> list[sqlite3.Row]:
        """All rows of a query, as of the last commit. A file that cannot be read just now is waited for.

        So is the end of another task's transaction: this task may have been woken for what that has written.
        """
        if self._owner is not None:
            async with self._lock:
                pass
        self._queries += 1
        if self._queries % QUERIES_IN_A_ROW == 0:
            await asyncio.sleep(0)
        pause = FIRST_PAUSE
        while True:
            try:
                return self._reader.execute(sql, params).fetchall()
            except sqlite3.OperationalError as error:
                if not file_is_busy(error):
                    raise
                text = f"the database cannot be read, trying again: {error}"
                self._state.fails(str(error), text, extra=telling_of(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _one(self, run: Work) -> Any:
        """Make one change: in this task's transaction, or committed with others that wait just now."""
        if self._owner is asyncio.current_task():
            return await self._persist(run, inside=True)
        change = _Change(run, asyncio.get_running_loop().create_future())
        self._waiting.append(change)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        return await change.result

    async def _commit_waiting(self) -> None:
        while self._waiting:
            if time.monotonic() - self._committed < BUSY_SECONDS:
                await asyncio.sleep(GATHER_SECONDS)
            async with self._lock:
                batch, self._waiting = self._waiting, []
                batch = [change for change in batch if not change.result.done()]
                try:
                    if len(batch) < 2 or not await self._commit_together(batch):
                        for change in batch:
                            await self._commit_alone(change)
                except BaseException as error:
                    for change in batch:
                        change.end(None, error)
                    raise
            self._committed = time.monotonic()

    async def _commit_together(self, batch: list[_Change]) -> bool:
        """Commit changes in one transaction; one that fails takes no other along. False: none has been made."""
        together = partial(_together, works=[change.run for change in batch])
        try:
            outcomes = await self._persist(together, inside=False)
        except Exception:
            return False
        for change, outcome in zip(batch, outcomes, strict=True):
            change.end(*outcome)
        return True

    async def _commit_alone(self, change: _Change) -> None:
        try:
            change.end(await self._persist(change.run, inside=False), None)
        except Exception as error:
            change.end(None, error)

    async def _persist(self, work: Callable[[sqlite3.Connection], Result], *, inside: bool) -> Result:
        """Try until the file takes it. Raises if that cannot help, or if SQLite has given up the transaction
        that it belongs to (``inside``). What fails outside of one leaves no transaction open.
        """
        pause, run = FIRST_PAUSE, work if inside else partial(_clean, work)
        while True:
            try:
                result = await self._in_thread(run, self._db)
            except sqlite3.OperationalError as error:
                if not file_is_busy(error) or (inside and not self._db.in_transaction):
                    raise
                text = f"the database cannot be written, trying again: {error}"
                self._state.fails(str(error), text, extra=telling_of(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._state.works()
                return result

    async def _in_thread(self, run: Callable[..., Result], *args: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, run, *args)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def _execute(sql: str) -> Work:
    return lambda db: db.execute(sql).fetchall()


def _script(sql: str) -> Work:
    return lambda db: db.executescript(sql)


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Bring the file to the newest shape, in one hop to the thread. May be done again."""
    prepare(db)
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    (done,) = db.execute("PRAGMA user_version").fetchone()
    if done > len(MIGRATIONS):
        raise sqlite3.DatabaseError("the database was written by a newer version of the bot")
    for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
        # executescript would commit what is open, so the step brings its own transaction
        db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    db.execute(f"PRAGMA {DURABLE}")


def _all_or_none(db: sqlite3.Connection, sql: str, params: Sequence[Sequence[object]]) -> None:
    """Inside a transaction or, if none is open, in one of its own."""
    db.execute("SAVEPOINT many")
    try:
        db.executemany(sql, params)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK TO many")
            db.execute("RELEASE many")
        raise
    db.execute("RELEASE many")


def _together(db: sqlite3.Connection, works: Sequence[Work]) -> list[tuple[Any, Exception | None]]:
    """Do all in one transaction; gives what each has returned or raised. Raises if nothing was committed."""
    outcomes: list[tuple[Any, Exception | None]] = []
    db.execute("BEGIN IMMEDIATE")
    for work in works:
        try:
            outcomes.append((work(db), None))
        except Exception as error:
            busy = isinstance(error, sqlite3.OperationalError) and file_is_busy(error)
            if busy or not db.in_transaction:  # then SQLite has rolled back the others too
                raise
            outcomes.append((None, error))
    db.execute("COMMIT")
    return outcomes


def _clean(work: Callable[[sqlite3.Connection], Result], db: sqlite3.Connection) -> Result:
    """Do it; if it fails, end what it has left open. A failed COMMIT leaves its transaction open."""
    try:
        return work(db)
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        try:
            db.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                log.error("a transaction could not be rolled back: %s", error)
