"""The table of an imagefolder, ``metadata.jsonl``: its pictures and captions, written whole, the old one kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora.files import write_whole

TABLE = "metadata.jsonl"
CSV = "metadata.csv"  # which trainings read too, if there is no TABLE
PICTURES = (".png", ".webp", ".jpg", ".jpeg")


class MetadataError(Exception):
    """A folder's table cannot be read; the message names the line."""


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

    Raises MetadataError for a line that is no JSON object with a file name and for captions that are in a CSV,
    FileNotFoundError without a folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    table = folder / TABLE
    if not table.is_file() and (folder / CSV).is_file():
        raise MetadataError(
            f"{folder / CSV}: only {TABLE} is written to, and it would hide this; convert it first"
        )
    rows = []
    if table.is_file():
        for number, line in enumerate(table.read_text(encoding="utf-8").split("\n"), start=1):
            if line.strip():
                rows.append(_row(line, f"{table}, line {number}", caption_column))
    known = {row.file_name for row in rows}
    others = sorted(
        path.name for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name not in known
    )
    return rows + [Row(file_name=name, caption="", columns={"file_name": name}) for name in others]


def _row(line: str, where: str, caption_column: str) -> Row:
    try:
        columns = json.loads(line)
    except ValueError as error:
        raise MetadataError(f"{where}: not JSON: {error}") from error
    if not isinstance(columns, dict) or not isinstance(columns.get("file_name"), str):
        raise MetadataError(f"{where}: no object with a file_name")
    caption = columns.get(caption_column)
    return Row(
        file_name=columns["file_name"],
        caption=caption if isinstance(caption, str) else "",
        columns=columns,
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
