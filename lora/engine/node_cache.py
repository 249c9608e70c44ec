"""The files of a base on the nodes of a cluster: sent to each node once, and found there by their hash.

On the bot's node a ``BaseFiles`` gives the files out. The workers of another node fetch them under a lock, so that only
the first one does. No node needs to share a disk with another.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 32 * 2**20  # bytes that travel at once


@dataclass(frozen=True)
class BaseList:
    """The files of a base. ``digest`` is the SHA-256 of all of it, and names the folder on a node."""

    title: str
    digest: str
    files: tuple[tuple[str, int, str], ...]  # path in the folder, bytes, SHA-256


class BaseFiles:
    """Gives out the files of the base that this machine knows by ``name``."""

    def __init__(self, name: str, cache_dir: Path) -> None:
        from lora.models import sources

        self._folder = sources.find(name, cache_dir)
        self._title = sources.title(name)

    def list(self) -> BaseList:
        """The files, each hashed."""
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        files = tuple(
            (str(path.relative_to(self._folder)), path.stat().st_size, _sha256(path)) for path in paths
        )
        return BaseList(self._title, hashlib.sha256(repr(files).encode()).hexdigest(), files)

    def chunk(self, name: str, offset: int) -> bytes:
        """At most ``CHUNK`` bytes of a file of the list."""
        with (self._folder / name).open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK)


def fetch(base: BaseList, cache_dir: Path, chunk: Callable[[str, int], bytes]) -> Path:
    """The base's folder on this node. It is fetched with ``chunk`` if it is not there yet, or not whole.

    Raises OSError if a file is not what the list says.
    """
    folder = cache_dir / "bases" / base.digest / base.title
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            for name, size, sha256 in base.files:
                _fetch_file(part / name, name, size, sha256, chunk)
            part.rename(folder)
    return folder


def default_cache() -> Path:
    """Where a node keeps bases: ``STICKERSMITH_CACHE``, or a folder of the user who runs Ray there."""
    return Path(os.environ.get("STICKERSMITH_CACHE") or Path.home() / ".cache" / "stickersmith")


def _fetch_file(path: Path, name: str, size: int, sha256: str, chunk: Callable[[str, int], bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while out.tell() < size:
            data = chunk(name, out.tell())
            if not data:
                break
            out.write(data)
    if path.stat().st_size != size or _sha256(path) != sha256:
        raise OSError(f"{name}: came damaged")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
