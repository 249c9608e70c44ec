"""The table of an imagefolder, ``metadata.jsonl``: its pictures and captions, written whole, the old one kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora.data import imagefolder
from lora.data.imagefolder import DatasetError
from lora.files import write_whole

TABLE = imagefolder.JSONL


@dataclass(frozen=True, kw_only=True)
class MetadataRow:
    """One picture. ``columns`` is the whole line as it was, the caption and unknown columns included."""

    file_name: str
    caption: str = field(repr=False)
    columns: dict[str, Any] = field(repr=False)

    def with_caption(self, caption: str) -> MetadataRow:
        """The same picture with another caption."""
        return replace(self, caption=caption)


def read(folder: Path, caption_column: str = "text") -> list[MetadataRow]:
    """The rows of the table in order, then the folder's other pictures by name.

    Those have no caption or, if there is no table, that of their caption file. Raises DatasetError for a line that
    is no JSON object with a file name, for captions that are in a CSV, and without a folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    table = imagefolder.find_table(folder)
    if table is not None and table.name == imagefolder.CSV:
        raise DatasetError(f"{table}: only {TABLE} is written to, and it would hide this; convert it first")
    lines = imagefolder.rows(table) if table else ()
    rows = [_row(line, table, caption_column) for line in lines]
    texts = {} if table else imagefolder.caption_files(folder)
    others = imagefolder.unlisted(folder, [row.file_name for row in rows])
    return rows + [_new_row(name, texts.get(name)) for name in others]


def _new_row(name: str, text: Path | None) -> MetadataRow:
    """A picture that no line names, with the caption of its own file, if it has one."""
    if imagefolder.ODD.search(name):  # a line of the table could not name it
        raise DatasetError(f"{name!r}: the name of this picture is not UTF-8; rename the file")
    caption = imagefolder.caption_of(text) if text else ""
    return MetadataRow(file_name=name, caption=caption, columns={"file_name": name})


def _row(
    line: imagefolder.TableRow | imagefolder.Fault, table: Path | None, caption_column: str
) -> MetadataRow:
    if isinstance(line, imagefolder.Fault):
        raise DatasetError(str(line))
    name = line.columns.get("file_name")
    if not isinstance(name, str) or imagefolder.ODD.search(name):
        raise DatasetError(f"{table}, line {line.line}: no file_name")
    return MetadataRow(
        file_name=name, caption=_caption(line.columns, caption_column), columns=dict(line.columns)
    )


def _caption(columns: Mapping[str, Any], caption_column: str) -> str:
    """What a line has as its caption, of several the first, or nothing."""
    return next(iter(imagefolder.captions_of(columns.get(caption_column))), "")


def write(
    folder: Path, rows: list[MetadataRow], caption_column: str = "text", *, back_up: bool = True
) -> Path | None:
    """Write the table of the rows with a caption. Returns the path of the old table's copy.

    None if there was no old table, if it was the same, or without ``back_up``.
    """
    lines = [_line(row, caption_column) for row in rows if row.caption]
    new, table = ("\n".join(lines) + "\n").encode(), folder / TABLE
    if not table.is_file() or not back_up:
        write_whole(table, new)
        return None
    old = table.read_bytes()
    if old == new:
        return None
    backup = next(path for n in range(1, 10_000) if not (path := folder / f"{TABLE}.{n}.bak").exists())
    write_whole(backup, old)
    write_whole(table, new)
    return backup


def _line(row: MetadataRow, caption_column: str) -> str:
    """A row as JSON: without a new caption, as it was, even if that is a list of captions."""
    known = _caption(row.columns, caption_column) == row.caption
    columns = row.columns if known else {**row.columns, caption_column: row.caption}
    line = json.dumps(columns, ensure_ascii=False)
    return json.dumps(columns) if imagefolder.ODD.search(line) else line  # halves of characters have no UTF-8
