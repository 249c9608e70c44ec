"""Reads folders of samples: in a table's order, each as a picture with its captions or as a fault. No torch here.

The layout is that of Hugging Face's ``imagefolder``: a table beside the pictures. Without a table, each picture's
caption may stand in a text file of the same name, as kohya's trainers have it. A training stops at the first fault,
a check lists them all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora.data import file_names
from lora.data.pictures import PictureError, open_rgba

JSONL, CSV = "metadata.jsonl", "metadata.csv"
TABLES = (JSONL, CSV)
PICTURES = (".png", ".webp", ".jpg", ".jpeg")
CAPTIONS = (".txt", ".caption")  # of kohya's trainers: a text file for each picture
ENOUGH_PX = 64  # of a picture that is decoded only to be sure of it
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
TRAIN = "train"  # what the split to learn from is called, where a folder has splits
_REST = "\0"  # no column can be called this; a row with more cells than columns has them here
ODD = re.compile("[\0\ud800-\udfff]")  # JSON can write halves of characters: "\\ud800"
_CONTROLS = re.compile(
    "[\0-\x08\x0e-\x19\x1b-\x1f]"
)  # no text has one, and UTF-16 that is read as UTF-8 is full of them


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
    whole: bool = False  # nothing of the file can be used

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
    """All samples of a folder: the lines of its table, else its pictures with a caption file, by name.

    Raises DatasetError if there is no such folder. The folder may be an operator's own arrangement of links, as a
    snapshot in the hub's cache is; but a name in the table that leads out of it is a fault.

    The column ``image`` is written as ``file_name`` and any other column ``x`` as ``x_file_name``.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    inner = split(folder)
    table = find_table(inner)
    if table is None:
        yield from _captioned(inner) if caption_files(inner) else [_missing(folder)]
        return
    keys = ("file_name" if image_column == "image" else f"{image_column}_file_name", caption_column)
    names = file_names.FileNames(inner)
    empty = True
    for row in rows(table):
        empty = False
        yield row if isinstance(row, Fault) else _entry(table, row, names, *keys)
    if empty:
        yield Fault(where=str(table), name=table.name, why="no pictures in it")


def unlisted(folder: Path, names: Iterable[str]) -> list[str]:
    """The pictures of a folder that none of these names means, by name; of subfolders, those that names lead to."""
    folder = split(folder)
    files = file_names.FileNames(folder)
    used = {path for name in names if (path := _found(files, name)) is not None}
    folders = {folder, *(path.parent for path in used)}
    others = (path for place in folders for path in pictures(place) if path not in used)
    return sorted(str(path.relative_to(folder)) for path in others)


def _found(files: file_names.FileNames, name: str) -> Path | None:
    try:
        return files.find(name)
    except OSError:  # such as a name that is too long for any file
        return None


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder by their suffixes, by name. Hidden files are none: macOS writes ``._a.png``."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def caption_files(folder: Path) -> dict[str, Path]:
    """The caption file of each picture that has one, by the picture's name."""
    if not folder.is_dir():
        return {}
    texts = {}
    for path in folder.iterdir():
        if path.suffix.lower() in CAPTIONS:
            texts[file_names.key(path.stem)] = path
    pairs = ((path.name, texts.get(file_names.key(path.stem))) for path in pictures(folder))
    return {name: text for name, text in pairs if text is not None}


def caption_of(path: Path) -> str:
    """What a caption file says, on one line. Raises DatasetError if it is no text."""
    text = _text(path)
    if isinstance(text, Fault):
        raise DatasetError(str(text))
    return " ".join(text.split())


def _captioned(folder: Path) -> Iterator[Entry | Fault]:
    names = file_names.FileNames(folder)
    for name, path in caption_files(folder).items():
        fault = Fault(where=str(path), name=name, why="")
        text = _text(path)
        if isinstance(text, Fault):
            yield replace(text, name=name)
        elif not text.strip():
            yield replace(fault, why=f"{path.name} has no caption in it")
        else:
            picture = _picture(names, name, fault)
            caption = " ".join(text.split())
            yield (
                picture
                if isinstance(picture, Fault)
                else Entry(where=fault.where, name=name, picture=picture, captions=(caption,))
            )


def split(folder: Path) -> Path:
    """Where the samples to learn from are: in the folder or, if it has no captions but its ``train`` has, there."""
    places = (folder, folder / TRAIN)
    tables = [place for place in places if find_table(place)]
    return next(iter(tables or [place for place in places if caption_files(place)]), folder)


def _missing(folder: Path) -> Fault:
    """What a folder without captions lacks, and which of its folders or files could have been meant."""
    hints = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if find_table(path):
            hints.append(f"{path.name} has one")
        elif texts := caption_files(path):
            hints.append(
                f"{path.name!r} has {len(texts)} pictures with captions in {CAPTIONS[0]} files; name it instead"
            )
    if table := _above(folder):
        hints.append(f"{table} names pictures of this folder; move it beside them, or name {table.parent}")
    if (folder / "metadata.json").is_file():
        hints.append(f"metadata.json is there; it has to be called {JSONL} and have one object on each line")
    why = (
        f'missing; it has a line like {{"file_name": "a.png", "text": "a cat"}} for each picture. '
        f"Or put each caption into a text file beside its picture, a{CAPTIONS[0]} for a.png"
    )
    return Fault(where=str(folder / JSONL), name=JSONL, why="; ".join([why, *hints]))


def _above(folder: Path) -> Path | None:
    """The table one folder above its pictures, if it names any of the pictures in ``folder`` without the folder."""
    table = find_table(folder.resolve().parent)
    if table is None:
        return None
    here = {file_names.key(path.name) for path in pictures(folder)}
    cells = (cell for row in rows(table) if isinstance(row, TableRow) for cell in row.columns.values())
    named = (isinstance(cell, str) and file_names.key(cell.rpartition("/")[2]) in here for cell in cells)
    return table if any(named) else None


def find_table(folder: Path) -> Path | None:
    """Where a folder's captions are, if anywhere."""
    return next((table for name in TABLES if (table := folder / name).is_file()), None)


def rows(table: Path) -> Iterator[TableRow | Fault]:
    """The lines of a table; empty ones do not count. After a fault of the file as a whole nothing comes."""
    try:
        data = table.read_bytes()
    except OSError as error:
        yield _unreadable(table, error)
        return
    yield from rows_in(table, data)


def rows_in(table: Path, data: bytes) -> Iterator[TableRow | Fault]:
    """The lines of a table whose file holds ``data``; its name alone is looked at, and it need not exist."""
    text = text_in(table, data)
    if isinstance(text, Fault):
        yield text
    elif "\0" in text[:2]:  # UTF-16 without its mark
        yield _not_utf_8(table)
    else:
        yield from _csv_rows(table, text) if table.suffix.lower() == ".csv" else _json_rows(table, text)


def text_in(path: Path, data: bytes) -> str | Fault:
    """A file's text. Spreadsheets and editors put a mark in front that says whether it is UTF-8 or UTF-16."""
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        return _not_utf_8(path)


def caption_in(path: Path, data: bytes) -> str | Fault:
    """The text of a caption file that holds ``data``. UTF-16 without a mark is a fault."""
    text = text_in(path, data)
    return _not_utf_8(path) if isinstance(text, str) and _CONTROLS.search(text) else text


def _not_utf_8(path: Path) -> Fault:
    return Fault(where=str(path), name=path.name, why="not UTF-8 text; save it as UTF-8", whole=True)


def _text(path: Path) -> str | Fault:
    if path.exists() and not path.is_file():  # to open a pipe would wait for its other end
        return Fault(where=str(path), name=path.name, why="it is no file")
    try:
        return caption_in(path, path.read_bytes())
    except OSError as error:
        return _unreadable(path, error)


def _unreadable(path: Path, error: OSError) -> Fault:
    return Fault(where=str(path), name=path.name, why=f"it cannot be read: {error.strerror}")


def _json_rows(table: Path, text: str) -> Iterator[TableRow | Fault]:
    if re.match(r"\s*\[\s*\{", text):
        why = "one JSON array; write each object on a line of its own, without the brackets and commas around them"
        yield Fault(where=str(table), name=table.name, why=why, whole=True)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            columns = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield _fault(table, number, f"not JSON: {why}")
            continue
        if isinstance(columns, dict):
            yield TableRow(line=number, columns=columns)
        else:
            yield _fault(table, number, "not a JSON object")


def _csv_rows(table: Path, text: str) -> Iterator[TableRow | Fault]:
    """Rows below the first line, which names the columns, with the lines that they end on.

    The columns are separated by what the first line has most of; Excel writes semicolons in many countries.
    """
    mark = re.match(r"sep=([,;\t])\r?\n", text)  # Excel's own line in front, which says so
    text = text[mark.end() :] if mark else text
    first = text.partition("\n")[0]
    separator = mark[1] if mark else max(SEPARATORS, key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=_REST, delimiter=separator, strict=True)
    above = 1 if mark else 0
    try:
        for columns in reader:
            line = reader.line_num + above
            if rest := columns.get(_REST):
                cells, names = len(columns) - 1 + len(rest), len(columns) - 1
                put = f"put a text that has {SEPARATORS[separator]} into double quotes"
                yield _fault(table, line, f"{cells} cells, but {names} columns; {put}")
            else:
                yield TableRow(line=line, columns=columns)
    except csv.Error as error:
        yield _fault(table, reader.reader.line_num + above, f"not CSV: {error}")


def _fault(table: Path, line: int, why: str) -> Fault:
    return Fault(where=f"{table}, line {line}", name=f"{table.name}, line {line}", why=why)


def _entry(
    table: Path, row: TableRow, names: file_names.FileNames, file_key: str, caption_key: str
) -> Entry | Fault:
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
    picture = _picture(names, name, fault)
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


def _picture(names: file_names.FileNames, name: str, fault: Fault) -> bytes | Fault:
    """A picture's file, checked. The name alone must stay in the folder: where a link leads is its owner's choice."""
    try:
        path = names.find(name)
        if path is None:
            return replace(fault, why=names.why_not(name))
        picture = path.read_bytes()
        open_rgba(picture, ENOUGH_PX)
    except OSError as error:
        return replace(fault, why=f"{name!r} cannot be read: {error.strerror}")
    except PictureError as error:
        return replace(fault, where=str(path), why=str(error))
    return picture
