"""The queries of bot/tables find their rows by an index, however many rows there are."""

from __future__ import annotations

import ast
import importlib
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot import blobs
from bot.migrations import MIGRATIONS, prepare
from bot.store import Store
from bot.tables import retention

TABLES = Path(__file__).parents[3] / "bot" / "tables"
ASKS = ("rows", "row", "value", "change", "change_many")
LARGE = {
    "person",
    "style",
    "sample",
    "job",
    "job_sample",
    "checkpoint",
    "drawing",
    "pack_sticker",
    "pack",
    "pack_item",
    "inbox",
}
NIGHTLY = {"inbox.forget_old"}
# Modules that go over whole tables on purpose: once a night, or when an admin asks.
SELDOM = {"retention", "stats", "usage", "erasures", "held"}


def statements() -> Iterator[tuple[str, str]]:
    """(module.function, SQL) of every statement that is a constant, or is made of its module's constants."""
    for path in sorted(TABLES.glob("*.py")):
        if path.stem in SELDOM or path.stem == "__init__":
            continue
        module = vars(importlib.import_module(f"bot.tables.{path.stem}"))
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and call.func.attr in ASKS
                ):
                    for argument in call.args[:1]:
                        if (sql := _constant(argument, module)) is not None:
                            yield f"{path.stem}.{function.name}", sql


def _constant(argument: ast.expr, module: dict[str, object]) -> str | None:
    try:
        found = eval(compile(ast.Expression(argument), "sql", "eval"), dict(module))
    except NameError:
        return None  # it is made of what the function knows
    return found if isinstance(found, str) else None


def test_no_frequent_query_reads_a_whole_table() -> None:
    """EXPLAIN QUERY PLAN names no SCAN of a table that grows with the number of people."""
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        for script in MIGRATIONS:
            db.executescript(script)
        seen, slow = 0, []
        for name, sql in statements():
            marks = dict.fromkeys(re.findall(r"\?\d*", sql))
            count = max([sql.count("?"), *(int(mark[1:] or 0) for mark in marks)], default=0)
            plan = db.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * _needed(db, sql, count)).fetchall()
            seen += 1
            for *_, step in plan:
                found = re.match(r"SCAN (\w+)(?! USING)", step)
                if name not in NIGHTLY and found and found[1] in LARGE and "USING" not in step:
                    slow.append(f"{name}: {step}")
    assert seen > 100
    assert not slow, chr(10).join(sorted(set(slow)))


async def test_the_nightly_deletion_reads_no_whole_table(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch of old jobs, and each folder of files: else a large database is read hundreds of times."""
    await store.change("INSERT INTO person (id, name, language) VALUES (1, 'x', 'en')")
    await store.change(
        "INSERT INTO job (person, kind, origin, state, ended_at) VALUES (1, 'draw', 'o', 'done', 1)"
    )
    asked: list[tuple[str, tuple[object, ...]]] = [(blobs._NAMED, ("ab",))]
    for name in ("rows", "change"):
        monkeypatch.setattr(store, name, _noting(getattr(store, name), asked))
    assert await retention.forget_old(store, 2.0) == 1
    assert len(asked) > 5
    for sql, params in asked:
        for *_, step in await store._one(partial(_plan, sql=sql, params=params)):
            assert not (found := re.match(r"SCAN (\w+)", step)) or found[1] not in LARGE, (sql, step)


def test_what_names_a_deleted_row_is_found_by_an_index() -> None:
    """SQLite looks for rows that name a row (a foreign key) before it deletes that row."""
    with closing(sqlite3.connect(":memory:")) as db:
        prepare(db)
        for script in MIGRATIONS:
            db.executescript(script)
        missing = []
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            found = {row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5] == 1}
            for _, index, *_ in db.execute(f"PRAGMA index_list({table})").fetchall():
                found.add(db.execute(f"PRAGMA index_info({index})").fetchone()[2])
            keys = {row[3] for row in db.execute(f"PRAGMA foreign_key_list({table})")}
            missing += [f"{table}.{column}" for column in keys - found]
    assert missing == []


def _noting(
    ask: Callable[..., Awaitable[Any]], asked: list[tuple[str, tuple[object, ...]]]
) -> Callable[..., Awaitable[Any]]:
    def noted(sql: str, *params: object) -> Awaitable[Any]:
        asked.append((sql, params))
        return ask(sql, *params)

    return noted


def _plan(db: sqlite3.Connection, sql: str, params: tuple[object, ...]) -> list[sqlite3.Row]:
    return db.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()


def _needed(db: sqlite3.Connection, sql: str, most: int) -> int:
    """How many parameters the statement takes."""
    for count in range(most + 1):
        try:
            db.execute(f"EXPLAIN {sql}", (None,) * count)
        except sqlite3.ProgrammingError:
            continue
        return count
    raise AssertionError(sql)
