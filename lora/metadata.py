"""The table of an imagefolder, ``metadata.jsonl``: its pictures and captions, written whole, the old one kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora import imagefolder
from lora.files import write_whole
from lora.imagefolder import DatasetError

TABLE = imagefolder.JSONL
PICTURES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture. ``columns`` is the whole line as it was, the caption and unknown columns included."""

    file_name: str
    caption: str = field(repr=False)
    columns: dict[str, Any] = field(repr=False)

    def called(self, caption: str) -> Row:
        """The same picture with another caption."""
        return replace(self, caption=caption)


def read(folder: Path, caption_column: str = "text") -> list[Row]:
    """The rows of the table in order, then the folder's other pictures by name, without captions.

    Raises DatasetError for a line that is no JSON object with a file name, for captions that are in a CSV, and
    without a folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    table = imagefolder.find_table(folder)
    if table is not None and table.name == imagefolder.CSV:
        raise DatasetError(f"{table}: only {TABLE} is written to, and it would hide this; convert it first")
    lines = imagefolder.rows(table) if table else ()
    rows = [_row(line, table, caption_column) for line in lines]
    known = {row.file_name for row in rows}
    others = sorted(
        path.name for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name not in known
    )
    return rows + [Row(file_name=name, caption="", columns={"file_name": name}) for name in others]


def _row(line: imagefolder.Row | imagefolder.Fault, table: Path | None, caption_column: str) -> Row:
    if isinstance(line, imagefolder.Fault):
        raise DatasetError(str(line))
    name, caption = line.columns.get("file_name"), line.columns.get(caption_column)
    if not isinstance(name, str):
        raise DatasetError(f"{table}, line {line.line}: no file_name")
    return Row(
        file_name=name, caption=caption if isinstance(caption, str) else "", columns=dict(line.columns)
    )


def write(folder: Path, rows: list[Row], caption_column: str = "text") -> Path | None:
    """Write the table whole; gives where the old one was kept, if there was one and it was another."""
    lines = [
        json.dumps({**row.columns, caption_column: row.caption}, ensure_ascii=False)
        for row in rows
        if row.caption
    ]
    new, table = ("\n".join(lines) + "\n").encode(), folder / TABLE
    if not table.is_file():
        write_whole(table, new)
        return None
    old = table.read_bytes()
    if old == new:
        return None
    backup = next(path for n in range(1, 10_000) if not (path := folder / f"{TABLE}.{n}.bak").exists())
    write_whole(backup, old)
    write_whole(table, new)
    return backup
