"""The queries of bot/tables find their rows by an index, however many rows there are."""

from __future__ import annotations

import ast
import importlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bot.migrations import MIGRATIONS

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


def _needed(db: sqlite3.Connection, sql: str, most: int) -> int:
    """How many parameters the statement takes."""
    for count in range(most + 1):
        try:
            db.execute(f"EXPLAIN {sql}", (None,) * count)
        except sqlite3.ProgrammingError:
            continue
        return count
    raise AssertionError(sql)
