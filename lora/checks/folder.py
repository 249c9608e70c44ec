"""An imagefolder read to be judged: every bad line is a finding, and the good samples are kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lora.jobs import Finding, Sample
from lora.pictures import PictureError, open_rgba

TABLES = ("metadata.jsonl", "metadata.csv")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """``samples`` are those that can be used; ``places`` are their numbers among all lines.

    ``names`` are the names of all lines, the bad ones included; a finding's number n means ``names[n - 1]``.
    """

    path: Path
    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    places: tuple[int, ...]
    findings: tuple[Finding, ...]

    def numbered(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings on the usable samples, with the numbers that these have among all lines."""
        return [replace(f, samples=tuple(self.places[n - 1] for n in f.samples)) for f in findings]


class BadLine(Exception):
    """A line of the table, or its picture, cannot be used."""


def read(path: Path, *, image_column: str, caption_column: str, most: int | None = None) -> Folder:
    """Read all lines, or the first ``most``. Raises FileNotFoundError without a folder."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder")
    file_key = "file_name" if image_column == "image" else f"{image_column}_file_name"
    table = next((found for name in TABLES if (found := path / name).is_file()), None)
    if table is None:
        missing = 'missing; it has a line {"file_name": ..., "text": ...} for each picture'
        return _nothing(path / TABLES[0], missing)
    try:
        lines = _lines(table)[:most]
    except UnicodeDecodeError:
        return _nothing(table, "not UTF-8")
    except csv.Error as error:
        return _nothing(table, f"not CSV: {error}")
    if not lines:
        return _nothing(table, "no pictures in it")
    names, samples, places, findings = [], [], [], []
    for number, line in enumerate(lines, start=1):
        names.append(_name(line, file_key, f"{table.name}, entry {number}"))
        try:
            samples.append(_sample(path, line, file_key, caption_column))
            places.append(number)
        except (BadLine, PictureError) as error:
            findings.append(
                Finding(code="unreadable", severity="error", samples=(number,), detail=str(error))
            )
    return Folder(
        path=path,
        names=tuple(names),
        samples=tuple(samples),
        places=tuple(places),
        findings=tuple(findings),
    )


def _lines(table: Path) -> list[str]:
    """The lines of a table, each as JSON; of a CSV its rows."""
    text = table.read_text(encoding="utf-8-sig")
    if table.suffix == ".csv":
        return [json.dumps(row) for row in csv.DictReader(text.splitlines(keepends=True), strict=True)]
    return [line for line in text.split("\n") if line.strip()]


def _nothing(table: Path, why: str) -> Folder:
    fault = Finding(code="unreadable", severity="error", samples=(1,), detail=why)
    return Folder(path=table.parent, names=(table.name,), samples=(), places=(), findings=(fault,))


def _name(line: str, key: str, place: str) -> str:
    """What to call a line: its file, or where it is."""
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    name = row.get(key) if isinstance(row, dict) else None
    return name if isinstance(name, str) else place


def _sample(folder: Path, line: str, file_key: str, caption_key: str) -> Sample:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise BadLine("not a JSON object")
    for key in (file_key, caption_key):
        if not isinstance(row.get(key), str):
            raise BadLine(f"{key} is missing or no text; there are {', '.join(map(repr, row)) or 'none'}")
    picture = (folder / row[file_key]).resolve()
    if not picture.is_relative_to(folder.resolve()):
        raise BadLine("lies outside of the folder")
    if not picture.is_file():
        raise BadLine("there is no such file")
    data = picture.read_bytes()
    open_rgba(data)
    return Sample(picture=data, caption=row[caption_key])
