"""Samples written as an imagefolder, for tests that need one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora.data import metadata
from lora.data.metadata import MetadataRow
from lora.data.pictures import check
from lora.files import write_whole
from lora.jobs import Sample

SUFFIXES = {"PNG": "png", "WEBP": "webp", "JPEG": "jpg"}


def write_folder(folder: Path, samples: Sequence[Sample]) -> None:
    """Pictures named by their number, and their metadata.jsonl."""
    rows = []
    for number, sample in enumerate(samples):
        name = f"{number:03d}.{SUFFIXES[check(sample.picture).format]}"
        write_whole(folder / name, sample.picture)
        rows.append(MetadataRow(file_name=name, caption=sample.caption, columns={"file_name": name}))
    metadata.write(folder, rows)
