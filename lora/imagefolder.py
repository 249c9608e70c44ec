"""Reads imagefolders: a table's lines in their order, each as a picture with its captions or as a fault. No torch here.

The layout is that of Hugging Face's ``imagefolder``. A training stops at the first fault, a check lists them all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora.pictures import PictureError, open_rgba

JSONL, CSV = "metadata.jsonl", "metadata.csv"
TABLES = (JSONL, CSV)
_REST = "\0"  # no column can be called this; a row with more cells than columns has them here


class DatasetError(Exception):
    """A folder of pictures and captions cannot be used; the message names the file and its fault."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table that could be read: of JSON its object, of CSV its cells by their columns' names."""

    line: int
    columns: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What cannot be used, and why. As a text it is the one line that a person at a terminal needs."""

    where: str  # with the folder: the table, its line, or the picture's file
    name: str  # short: the picture's name in the table or, if that is the fault, table and line
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture, decoded once to be sure of it, and its caption."""

    where: str
    name: str
    picture: bytes = field(repr=False)
    caption: str = field(repr=False)


def entries(folder: Path, *, image_column: str, caption_column: str) -> Iterator[Entry | Fault]:
    """All lines of a folder's table. Raises DatasetError if there is no such folder.

    The column ``image`` is written as ``file_name`` and any other column ``x`` as ``x_file_name``.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    table = find_table(folder)
    if table is None:
        hint = 'missing; it has a line like {"file_name": "a.png", "text": "a cat"} for each picture'
        yield Fault(where=str(folder / JSONL), name=JSONL, why=hint)
        return
    keys = ("file_name" if image_column == "image" else f"{image_column}_file_name", caption_column)
    empty = True
    for row in rows(table):
        empty = False
        yield row if isinstance(row, Fault) else _entry(table, row, *keys)
    if empty:
        yield Fault(where=str(table), name=table.name, why="no pictures in it")


def find_table(folder: Path) -> Path | None:
    """Where a folder's captions are, if anywhere."""
    return next((table for name in TABLES if (table := folder / name).is_file()), None)


def rows(table: Path) -> Iterator[Row | Fault]:
    """The lines of a table; empty ones do not count. After a fault of the file as a whole nothing comes."""
    try:
        text = table.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first column's name
    except UnicodeDecodeError:
        yield Fault(where=str(table), name=table.name, why="not UTF-8 text; save it as UTF-8")
        return
    yield from _csv_rows(table, text) if table.suffix == ".csv" else _json_rows(table, text)


def _json_rows(table: Path, text: str) -> Iterator[Row | Fault]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            columns = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            yield _fault(table, number, f"not JSON: {why}")
            continue
        if isinstance(columns, dict):
            yield Row(line=number, columns=columns)
        else:
            yield _fault(table, number, "not a JSON object")


def _csv_rows(table: Path, text: str) -> Iterator[Row | Fault]:
    """Rows below the first line, which names the columns, with the lines that they end on."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=_REST, strict=True)
    try:
        for columns in reader:
            if rest := columns.get(_REST):
                cells, names = len(columns) - 1 + len(rest), len(columns) - 1
                why = f"{cells} cells, but {names} columns; put a text that has commas into double quotes"
                yield _fault(table, reader.line_num, why)
            else:
                yield Row(line=reader.line_num, columns=columns)
    except csv.Error as error:
        yield _fault(table, reader.reader.line_num, f"not CSV: {error}")


def _fault(table: Path, line: int, why: str) -> Fault:
    return Fault(where=f"{table}, line {line}", name=f"{table.name}, line {line}", why=why)


def _entry(table: Path, row: Row, file_key: str, caption_key: str) -> Entry | Fault:
    """One line with its picture."""
    fault = _fault(table, row.line, "")
    for key in (file_key, caption_key):
        if why := _unfit(row.columns, key):
            return replace(fault, why=why)
        if key == file_key:  # from here on, the picture's name is what a person looks for
            fault = replace(fault, name=row.columns[key])
    name = row.columns[file_key]
    path = (table.parent / name).resolve()
    if not path.is_relative_to(table.parent.resolve()):
        return replace(fault, why=f"{name!r} lies outside of the folder")
    try:
        if not path.is_file():
            return replace(fault, why=f"there is no file {name!r}")
        picture = path.read_bytes()
        open_rgba(picture)
    except OSError as error:
        return replace(fault, why=f"{name!r} cannot be read: {error.strerror}")
    except PictureError as error:
        return replace(fault, where=str(path), why=str(error))
    return Entry(where=fault.where, name=name, picture=picture, caption=row.columns[caption_key])


def _unfit(columns: Mapping[str, Any], key: str) -> str | None:
    """Why what a line has in a column is no text, or None."""
    value = columns.get(key)
    if not isinstance(value, str):
        return f"{key} is missing or no text; there are {', '.join(map(repr, columns)) or 'none'}"
    odd = re.search("[\0\ud800-\udfff]", value)  # JSON can write halves of characters: "\\ud800"
    return f"{key} holds {odd[0]!r}, which no text has" if odd else None
