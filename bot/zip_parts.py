"""Files as zips that Telegram takes: written to the disk piece by piece, and split where one would be too large."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PART_BYTES = 45 << 20  # Telegram takes 50 MB from a bot
ENTRY_BYTES = 300  # what a zip needs beside a file's content


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of a zip: its name there, and its content, or the file on the disk that has it."""

    name: str
    content: bytes = field(default=b"", repr=False)
    path: Path | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes in a zip. Raises OSError if its file is gone."""
        return ENTRY_BYTES + (len(self.content) if self.path is None else self.path.stat().st_size)


def split(entries: Iterable[Entry], most: int | None = None) -> tuple[list[list[Entry]], list[Entry]]:
    """Parts of at most ``most`` bytes each (by default PART_BYTES), in order, and the files that fit into none."""
    most = most or PART_BYTES
    parts: list[list[Entry]] = [[]]
    too_large, size = [], 0
    for entry in entries:
        if entry.size > most:
            too_large.append(entry)
            continue
        if size + entry.size > most:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry.size
    return [part for part in parts if part], too_large


def write(file: Path, entries: Sequence[Entry]) -> None:
    """Write a zip; of a file on the disk only a piece is in memory at a time. Pictures are not compressed again."""
    with zipfile.ZipFile(file, "w") as archive:
        for entry in entries:
            if entry.path is None:
                archive.writestr(entry.name, entry.content, zipfile.ZIP_DEFLATED)
            else:
                archive.write(entry.path, entry.name, zipfile.ZIP_STORED)
