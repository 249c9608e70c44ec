"""Blobs: pictures, adapters, stickers and training states as files that are named by the hash of their content."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bot.store import Store
from lora.files import write_whole

# Every column that holds the name of a blob. A blob that is in none of them is deleted.
COLUMNS = (
    ("sample", "blob"),
    ("job", "adapter"),
    ("job_sample", "blob"),
    ("checkpoint", "adapter"),
    ("checkpoint", "state"),
    ("drawing", "blob"),
    ("comparison", "sheet"),
)


class Blobs:
    """Files ``ab/<sha256>`` below ``folder``, written atomically. Rows hold the sha256 as the blob's name."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def keep(self, *contents: bytes) -> AsyncIterator[list[str]]:
        """Write files and give their names to the block, which stores the rows. No blob is deleted meanwhile."""
        async with self._lock:
            yield [await asyncio.to_thread(self._write, content) for content in contents]

    async def read(self, name: str) -> bytes:
        """The content of a blob."""
        return await asyncio.to_thread(self._path(name).read_bytes)

    async def sweep(self, names: Iterable[str]) -> None:
        """Delete those of ``names`` that are in no row."""
        async with self._lock:
            for name in set(names):
                if not await self._wanted(name):
                    self._path(name).unlink(missing_ok=True)

    async def sweep_all(self) -> None:
        """Delete every blob that is in no row, and half-written files: what a killed process has left."""
        found = await asyncio.to_thread(lambda: list(self._folder.glob("??/*")))
        for half_written in (path for path in found if path.name.startswith(".")):
            half_written.unlink()
        await self.sweep(path.name for path in found if not path.name.startswith("."))

    async def _wanted(self, name: str) -> bool:
        for table, column in COLUMNS:
            query = f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1"  # noqa: S608 - constants only
            if await self._store.row(query, name):
                return True
        return False

    def _write(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        if not self._path(name).exists():
            write_whole(self._path(name), content)
        return name

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name
