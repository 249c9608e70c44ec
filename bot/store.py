"""SQLite through one connection: every row the bot knows. Only the bot's process opens it.

WAL with ``synchronous=FULL``: what was committed is on the disk, because Telegram is told to forget an update
as soon as its row is committed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from bot.schema import MIGRATIONS

RowType = TypeVar("RowType")


@dataclass(frozen=True, kw_only=True)
class Person:
    id: int
    chat_id: int
    name: str
    language: str
    style_id: int | None


@dataclass(frozen=True, kw_only=True)
class Style:
    id: int
    person_id: int
    keyword: str | None
    asked_sample: int | None
    summary_due: int
    summary_message: int | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A stored sample. ``source`` says where its caption is from: own, album, draft."""

    id: int
    style_id: int
    blob: str
    message_id: int
    album: str | None
    words: str | None
    caption: str | None
    source: str | None
    announced: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of ``job``. ``request`` is its JSON, parsed."""

    id: int
    kind: str
    person_id: int
    chat_id: int
    style_id: int | None
    request: dict[str, Any]
    state: str
    attempt: int
    step: int
    steps: int
    seconds_left: float | None
    loss: float | None
    error: str | None
    message_id: int | None
    resume_blob: str | None
    told: int


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    id: int
    job_id: int
    style_id: int
    step: int
    blob: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    id: int
    job_id: int
    place: int
    seed: int
    blob: str
    message_id: int | None


@dataclass(frozen=True, kw_only=True)
class Pack:
    id: int
    person_id: int
    name: str
    title: str
    state: str


@dataclass(frozen=True, kw_only=True)
class PackSticker:
    drawing_id: int
    pack_id: int
    state: str
    file_id: str | None
    count_before: int | None


class Store:
    """The one connection, and typed rows out of it."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Store]:
        """Open or make the database and bring it to the newest shape."""
        path.parent.mkdir(parents=True, exist_ok=True)
        async with aiosqlite.connect(path, isolation_level=None) as connection:
            connection.row_factory = aiosqlite.Row
            for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=5000"):
                await connection.execute(f"pragma {pragma}")
            store = cls(connection)
            await store._migrate()
            yield store

    async def _migrate(self) -> None:
        (version,) = await self.one("pragma user_version")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            await self._db.executescript(f"begin; {script}; pragma user_version = {number}; commit;")

    # --- the three ways to ask -------------------------------------------------------------------------------

    async def run(self, sql: str, *values: object) -> int:
        """Change rows; returns how many."""
        async with self._db.execute(sql, values) as cursor:
            return cursor.rowcount

    async def one(self, sql: str, *values: object) -> Any:
        """The first row as a tuple-like, or None."""
        async with self._db.execute(sql, values) as cursor:
            return await cursor.fetchone()

    async def all(self, sql: str, *values: object) -> list[Any]:
        """All rows."""
        async with self._db.execute(sql, values) as cursor:
            return list(await cursor.fetchall())

    async def get(self, kind: type[RowType], where: str, *values: object) -> RowType | None:
        """The first row of ``kind``'s table that fits, typed."""
        found = await self.find(kind, f"{where} limit 1", *values)
        return found[0] if found else None

    async def find(self, kind: type[RowType], where: str, *values: object) -> list[RowType]:
        """All rows of ``kind``'s table that fit, typed. ``where`` may end in ``order by``."""
        names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
        rows = await self.all(f"select {', '.join(names)} from {_table(kind)} where {where}", *values)  # noqa: S608 - our own words only
        return [kind(**{name: _parsed(name, row[name]) for name in names}) for row in rows]

    # --- settings ---------------------------------------------------------------------------------------------

    async def setting(self, key: str) -> str | None:
        row = await self.one("select value from setting where key = ?", key)
        return row[0] if row else None

    async def set_setting(self, key: str, value: object) -> None:
        await self.run("insert or replace into setting (key, value) values (?, ?)", key, str(value))

    # --- inbox ------------------------------------------------------------------------------------------------

    async def receive(self, updates: Sequence[tuple[int, int, str]]) -> None:
        """Store (update_id, person_id, body) rows and the next offset, in one transaction."""
        await self._db.execute("begin immediate")
        try:
            await self._db.executemany(
                "insert or ignore into inbox (update_id, person_id, body) values (?, ?, ?)", updates
            )
            last = max(update_id for update_id, _, _ in updates)
            await self.set_setting("offset", last + 1)
            await self._db.execute("commit")
        except BaseException:
            await self._db.execute("rollback")
            raise

    async def next_update(self, person_id: int) -> tuple[int, str, int] | None:
        """The oldest waiting update of a person: (update_id, body, tries with this one counted)."""
        row = await self.one(
            "update inbox set tries = tries + 1 where update_id = "
            "(select min(update_id) from inbox where person_id = ?) returning update_id, body, tries",
            person_id,
        )
        return tuple(row) if row else None

    # --- jobs -------------------------------------------------------------------------------------------------

    async def add_job(
        self,
        kind: str,
        update_id: int,
        person: Person,
        style_id: int | None,
        request: dict[str, Any],
        message_id: int | None = None,
    ) -> Job:
        """Insert a job. The same update asked again gets the job it made the first time."""
        await self.run(
            "insert or ignore into job (kind, update_id, person_id, chat_id, style_id, request, message_id) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            kind, update_id, person.id, person.chat_id, style_id, json.dumps(request), message_id,
        )  # fmt: skip
        job = await self.get(Job, "update_id = ?", update_id)
        assert job is not None
        return job

    async def claim(self, kind: str) -> Job | None:
        """Take the oldest queued job of a kind, one attempt more, in one statement."""
        row = await self.one(
            "update job set state = 'running', attempt = attempt + 1 where id = "
            "(select min(id) from job where state = 'queued' and kind = ?) returning id",
            kind,
        )
        return await self.get(Job, "id = ?", row[0]) if row else None

    async def change(self, job_id: int, attempt: int, **values: object) -> bool:
        """Change a running job, if this attempt is still the one that has it."""
        names = ", ".join(f"{name} = ?" for name in values)
        sql = f"update job set {names} where id = ? and attempt = ? and state = 'running'"  # noqa: S608 - our own words only
        return await self.run(sql, *values.values(), job_id, attempt) == 1

    async def requeue(self, attempts: int) -> list[Job]:
        """At start: what was running when the bot ended waits again, or has failed too often. Returns the latter."""
        await self.run("update job set state = 'queued' where state = 'running' and attempt < ?", attempts)
        failed = await self.find(Job, "state = 'running'")
        await self.run("update job set state = 'failed', error = 'internal' where state = 'running'")
        return failed

    # --- blobs ------------------------------------------------------------------------------------------------

    async def unreferenced(self, shas: Iterable[str]) -> list[str]:
        """Which of these files no row speaks of any more."""
        found = []
        for sha in set(shas):
            row = await self.one(
                "select 1 from sample where blob = ?1 union all select 1 from checkpoint where blob = ?1 "
                "union all select 1 from drawing where blob = ?1 union all select 1 from job where resume_blob = ?1",
                sha,
            )
            if row is None:
                found.append(sha)
        return found


def _table(kind: type[Any]) -> str:
    return {"PackSticker": "pack_sticker"}.get(kind.__name__, kind.__name__.lower())


def _parsed(name: str, value: Any) -> Any:
    return json.loads(value) if name == "request" else value
