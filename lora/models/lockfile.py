"""Checks a base's files against known hashes and against a lock file.

For most files no hash is known. They are trusted the first time: their sha256 is written into the lock file. From then
on a file that differs is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from lora.errors import BaseError
from lora.files import write_whole
from lora.models.hashes import file_hash

log = logging.getLogger(__name__)


def verify(
    folder: Path, names: list[str], known: Mapping[str, str], lock: Path, cache_dir: Path, *, source: str
) -> None:
    """Check the files ``names`` of ``folder`` and add those that are new to the lock. Raises BaseError with the path.

    ``known`` and the lock map file names to sha256. ``source`` says where the files come from; the lock keeps it.
    """
    locked = _read(lock)
    found = {name: file_hash(folder / name, cache_dir) for name in names}
    for name, digest in found.items():
        if digest != known.get(name, digest):
            raise BaseError(
                f"{folder / name}: its sha256 {digest[:12]}... is not the known {known[name][:12]}...: damaged, or "
                f"another model. Delete it and fetch it again; to use another model on purpose, give its path"
            )
        if digest != locked.get(name, digest):
            raise BaseError(
                f"{folder / name}: changed since {lock} was written. Put the old file back; if the change is "
                f"meant, delete the lock (adapters of the old weights will then be refused)"
            )
    if found.items() <= locked.items():
        return
    text = json.dumps({"source": source, "sha256": {**locked, **found}}, indent=2, sort_keys=True)
    try:
        write_whole(lock, f"{text}\n".encode())
    except OSError as error:  # for example a read-only folder; all known hashes were checked
        log.warning("%s: not written (%s), so later changes of the base will not be noticed", lock, error)


def _read(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        return {}
    try:
        return dict(json.loads(lock.read_text())["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise BaseError(f"{lock}: cannot be read; delete it to trust the files as they are now") from error
