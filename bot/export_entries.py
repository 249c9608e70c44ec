"""What is in an export: the files of a style's samples as an imagefolder, or all that is held of a person."""

from __future__ import annotations

import json
from pathlib import Path

from bot.blobs import Blobs
from bot.store import Store
from bot.tables import exports, held, samples
from bot.tables.samples import Sample
from bot.zip_parts import ENTRY_BYTES, Entry

FOLDERS = {"sample": "samples", "drawing": "stickers", "checkpoint": "adapters", "comparison": "sheets"}
KINDS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}  # how a file begins -> its extension
TABLE = "metadata.jsonl"


async def everything(store: Store, blobs: Blobs, person: int) -> tuple[list[Entry], int]:
    """A JSON file for each table with rows, and every file that they name; and how many of those are lost."""
    tables = await held.rows(store, person)
    entries = [
        Entry(name=f"tables/{table}.json", content=_json(exports.plain(rows)))
        for table, rows in tables.items()
        if rows
    ]
    lost = 0
    for table, names in (await exports.blobs_of(store, person)).items():
        for name in dict.fromkeys(names):
            path = blobs.path_of(name)
            if path is None:
                lost += 1
            else:
                entries.append(Entry(name=f"{FOLDERS.get(table, table)}/{name}{_extension(path)}", path=path))
    return entries, lost


async def of_samples(store: Store, blobs: Blobs, style: int) -> tuple[list[tuple[Entry, Sample]], int]:
    """The pictures of a style by their numbers, each with its sample; and how many of their files are lost."""
    found = await samples.of_style(store, style)
    paths = [(sample, blobs.path_of(sample.blob)) for sample in found]
    entries = [
        (Entry(name=f"{sample.number:04}{_extension(path)}", path=path), sample)
        for sample, path in paths
        if path
    ]
    return entries, len(found) - len(entries)


def table(pictures: list[tuple[Entry, Sample]]) -> Entry:
    """``metadata.jsonl`` for these pictures, as ``datasets`` and ``python -m lora train`` read it."""
    lines = [
        json.dumps({"file_name": entry.name, "text": sample.caption}, ensure_ascii=False)
        for entry, sample in pictures
        if sample.caption
    ]
    return Entry(name=TABLE, content=("\n".join(lines) + "\n").encode())


def room_for_table(pictures: list[tuple[Entry, Sample]]) -> int:
    """More bytes than the table of these pictures takes."""
    return ENTRY_BYTES + sum(len((sample.caption or "").encode()) + 100 for _, sample in pictures)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _extension(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(4)
    return next((ending for magic, ending in KINDS.items() if begin.startswith(magic)), ".safetensors")
