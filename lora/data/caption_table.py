"""Reads tables that people or language models have written: Markdown, CSV or TSV, also with text around them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

MAX_CHARS = 1_000_000
MAX_ROWS = 2_000


class TableError(Exception):
    """A text is no table that can be used. The message says where, and what is expected."""


def read(text: str, columns: Mapping[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """The rows of the first table in a text. Raises TableError.

    ``columns`` maps each wanted column to the names that it may have in the table. Other columns are left out. Rows
    without any text in the wanted columns are skipped.
    """
    if len(text) > MAX_CHARS:
        raise TableError(f"over {MAX_CHARS:,} characters")
    cells = _cells(text.lstrip("\ufeff"))
    head, places = _head(cells, columns)
    rows = []
    for number, line in enumerate(cells[head + 1 :], start=1):
        if _is_rule(line):
            continue
        if len(line) <= max(places.values()):
            raise TableError(
                f"row {number} of the table has {len(line)} cells, {len(cells[head])} are needed"
            )
        row = {name: line[place].strip() for name, place in places.items()}
        if any(row.values()):
            rows.append(row)
    if not rows:
        raise TableError("the table has a head but no rows")
    if len(rows) > MAX_ROWS:
        raise TableError(f"{len(rows)} rows; {MAX_ROWS} are the most")
    return rows


def _cells(text: str) -> list[list[str]]:
    """The cells of each line of the table, split at pipes, tabs, commas or semicolons. Raises TableError."""
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("```")]
    piped = [line for line in lines if line.strip().startswith("|")]
    if piped:
        return [[_unmarked(cell) for cell in _split(line)] for line in piped]
    if not lines:
        raise TableError("it is empty")
    mark = max("\t,;", key=lambda mark: sum(mark in line for line in lines))
    try:
        return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=mark, skipinitialspace=True))
    except csv.Error as error:
        raise TableError(f"it cannot be read: {error}") from error


def _split(line: str) -> list[str]:
    """The cells of a line, split at pipes. A pipe after a backslash is text."""
    inner = line.strip().removeprefix("|")
    inner = inner if inner.endswith("\\|") else inner.removesuffix("|")
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _unmarked(cell: str) -> str:
    """A cell without Markdown's marks for code or bold, if they enclose the whole cell."""
    found = re.fullmatch(r"(`|\*\*)(.+)\1", cell)
    return found[2] if found else cell


def _head(cells: list[list[str]], columns: Mapping[str, tuple[str, ...]]) -> tuple[int, dict[str, int]]:
    """The number of the first line that names all wanted columns, and the index of each column. Raises TableError."""
    for number, line in enumerate(cells):
        names = [cell.strip().lower() for cell in line]
        places = {
            wanted: names.index(known[0])
            for wanted, accepted in columns.items()
            if (known := [name for name in accepted if name in names])
        }
        if len(places) == len(columns):
            return number, places
    raise TableError(f"no line names the columns {', '.join(columns)}")


def _is_rule(line: list[str]) -> bool:
    """Whether this is the line of dashes below a Markdown table's head."""
    return all(re.fullmatch(r":?-+:?", cell.strip()) for cell in line)
