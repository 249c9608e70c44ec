"""Reads imagefolders: a table's lines in their order, each as a picture with its captions or as a fault. No torch here.

The layout is that of Hugging Face's ``imagefolder``. A training stops at the first fault, a check lists them all.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora.data.pictures import PictureError, open_rgba

JSONL, CSV = "metadata.jsonl", "metadata.csv"
TABLES = (JSONL, CSV)
TRAIN = "train"  # what the split to learn from is called, where a folder has splits
_REST = "\0"  # no column can be called this; a row with more cells than columns has them here
ODD = re.compile("[\0\ud800-\udfff]")  # JSON can write halves of characters: "\\ud800"


class DatasetError(Exception):
    """A folder of pictures and captions cannot be used; the message names the file and its fault."""


@dataclass(frozen=True, kw_only=True)
class TableRow:
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
    """One picture, decoded once to be sure of it, and its captions."""

    where: str
    name: str
    picture: bytes = field(repr=False)
    captions: tuple[str, ...] = field(repr=False)  # at least one

    @property
    def caption(self) -> str:
        """The one that is trained with: of several, the first."""
        return self.captions[0]


def entries(folder: Path, *, image_column: str, caption_column: str) -> Iterator[Entry | Fault]:
    """All lines of a folder's table. Raises DatasetError if there is no such folder.

    The folder may be an operator's own arrangement of links, as a snapshot in the hub's cache is; but a name in
    the table that leads out of it is a fault.

    The column ``image`` is written as ``file_name`` and any other column ``x`` as ``x_file_name``.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    table = find_table(split(folder))
    if table is None:
        yield Fault(where=str(folder / JSONL), name=JSONL, why=_missing(folder))
        return
    keys = ("file_name" if image_column == "image" else f"{image_column}_file_name", caption_column)
    empty = True
    for row in rows(table):
        empty = False
        yield row if isinstance(row, Fault) else _entry(table, row, *keys)
    if empty:
        yield Fault(where=str(table), name=table.name, why="no pictures in it")


def split(folder: Path) -> Path:
    """Where the samples to learn from are: in the folder or, if it has no table but its ``train`` has, there."""
    inner = folder / TRAIN
    return inner if find_table(folder) is None and find_table(inner) else folder


def _missing(folder: Path) -> str:
    """What a folder without a table lacks, and which of its folders could have been meant."""
    others = sorted(path.name for path in folder.iterdir() if path.is_dir() and find_table(path))
    meant = f"; {' and '.join(others)} has one" if others else ""
    return f'missing; it has a line like {{"file_name": "a.png", "text": "a cat"}} for each picture{meant}'


def find_table(folder: Path) -> Path | None:
    """Where a folder's captions are, if anywhere."""
    return next((table for name in TABLES if (table := folder / name).is_file()), None)


def rows(table: Path) -> Iterator[TableRow | Fault]:
    """The lines of a table; empty ones do not count. After a fault of the file as a whole nothing comes."""
    try:
        text = table.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first column's name
    except UnicodeDecodeError:
        yield Fault(where=str(table), name=table.name, why="not UTF-8 text; save it as UTF-8")
        return
    yield from _csv_rows(table, text) if table.suffix == ".csv" else _json_rows(table, text)


def _json_rows(table: Path, text: str) -> Iterator[TableRow | Fault]:
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
            yield TableRow(line=number, columns=columns)
        else:
            yield _fault(table, number, "not a JSON object")


def _csv_rows(table: Path, text: str) -> Iterator[TableRow | Fault]:
    """Rows below the first line, which names the columns, with the lines that they end on."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=_REST, strict=True)
    try:
        for columns in reader:
            if rest := columns.get(_REST):
                cells, names = len(columns) - 1 + len(rest), len(columns) - 1
                why = f"{cells} cells, but {names} columns; put a text that has commas into double quotes"
                yield _fault(table, reader.line_num, why)
            else:
                yield TableRow(line=reader.line_num, columns=columns)
    except csv.Error as error:
        yield _fault(table, reader.reader.line_num, f"not CSV: {error}")


def _fault(table: Path, line: int, why: str) -> Fault:
    return Fault(where=f"{table}, line {line}", name=f"{table.name}, line {line}", why=why)


def _entry(table: Path, row: TableRow, file_key: str, caption_key: str) -> Entry | Fault:
    """One line with its picture."""
    fault = _fault(table, row.line, "")
    name = row.columns.get(file_key)
    if not isinstance(name, str):
        return replace(fault, why=_no_text(row, file_key))
    if odd := ODD.search(name):
        return replace(fault, why=f"{file_key} holds {odd[0]!r}, which no text has")
    fault = replace(fault, name=name)  # from here on it is what a person looks for
    captions = captions_of(row.columns.get(caption_key))
    if not captions:
        return replace(fault, why=_no_text(row, caption_key))
    if odd := ODD.search("".join(captions)):
        return replace(fault, why=f"{caption_key} holds {odd[0]!r}, which no text has")
    picture = _picture(table.parent, name, fault)
    if isinstance(picture, Fault):
        return picture
    return Entry(where=fault.where, name=name, picture=picture, captions=captions)


def captions_of(value: object) -> tuple[str, ...]:
    """What a caption's column holds: one text or, as the reference script allows, a list of them; else nothing."""
    texts = value if isinstance(value, list) else [value]
    found = tuple(text for text in texts if isinstance(text, str))
    return found if len(found) == len(texts) else ()


def _no_text(row: TableRow, key: str) -> str:
    return f"{key} is missing or no text; there are {', '.join(map(repr, row.columns)) or 'none'}"


def _picture(folder: Path, name: str, fault: Fault) -> bytes | Fault:
    """A picture's file, checked. The name alone must stay in the folder: where a link leads is its owner's choice."""
    inner = Path(os.path.normpath(name))
    if inner.is_absolute() or ".." in inner.parts:
        return replace(fault, why=f"{name!r} lies outside of the folder")
    path = folder / inner
    try:
        if not path.is_file():
            why = f"{name!r} is a link to nothing" if path.is_symlink() else f"there is no file {name!r}"
            return replace(fault, why=why)
        picture = path.read_bytes()
        open_rgba(picture)
    except OSError as error:
        return replace(fault, why=f"{name!r} cannot be read: {error.strerror}")
    except PictureError as error:
        return replace(fault, where=str(path), why=str(error))
    return picture
