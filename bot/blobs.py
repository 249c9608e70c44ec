"""Blobs: pictures, adapters, stickers and training states as files that are named by the hash of their content."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from bot.store import Store
from lora.files import locked, write_whole
from lora.jobs import in_file

log = logging.getLogger(__name__)

# Every column that holds the name of a blob. A blob that is in none of them is deleted.
COLUMNS = (
    ("sample", "blob"),
    ("changed_sample", "blob"),
    ("job", "adapter"),
    ("job_sample", "blob"),
    ("checkpoint", "adapter"),
    ("checkpoint", "state"),
    ("drawing", "blob"),
    ("drawing", "uncut"),
    ("job", "uncut"),
    ("comparison", "sheet"),
    ("ready_style", "adapter"),
    ("pack_sticker", "blob"),
    ("pack_item", "blob"),
    ("pack_change", "blob"),
    ("pack_change", "old_blob"),
)

MOST_CHECKED = 4096  # blobs of which is remembered that they hold what was written

# The blobs whose names begin with ?1; "g" comes after all hexadecimal digits.
_NAMED = " UNION ALL ".join(
    f"SELECT {column} FROM {table} WHERE {column} BETWEEN ?1 AND ?1 || 'g'"  # noqa: S608 - constants only
    for table, column in COLUMNS
)


class Blobs:
    """Files ``ab/<sha256>`` below ``folder``, written atomically. Rows hold the sha256 as the blob's name."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        self._lock = asyncio.Lock()
        self._bytes: int | None = None  # of all files; None = not measured since the last sweep
        # Blobs that hold what was written, with the stamps that their files had then.
        self._checked: dict[str, tuple[int, int]] = {}

    @asynccontextmanager
    async def keep(self, *contents: bytes) -> AsyncIterator[list[str]]:
        """Write files and give their names to the block, which stores the rows. No blob is deleted meanwhile."""
        async with self._lock:
            yield [await asyncio.to_thread(self._write, content) for content in contents]

    async def read(self, name: str) -> bytes:
        """The content of a blob. Raises OSError."""
        return await asyncio.to_thread(self.read_now, name)

    def read_now(self, name: str) -> bytes:
        """The same without a thread of its own. Raises OSError."""
        return self._path(name).read_bytes()

    async def total(self) -> int:
        """What all files take together."""
        if self._bytes is None:
            self._bytes = await asyncio.to_thread(lambda: sum(map(_size, self._folder.glob("??/*"))))
        return self._bytes

    async def size(self, names: Sequence[str]) -> int:
        """What these files take together, in bytes; one that is not there takes none."""
        return await asyncio.to_thread(lambda: sum(_size(self._folder / n[:2] / n) for n in names if n))

    async def content(self, name: str) -> bytes:
        """The content for a job that is handed to an engine, which reads the file when it sends it.

        Raises OSError if the file cannot be read or holds something else than what was written.
        """
        path = self._path(name)
        return in_file(path, await asyncio.to_thread(self._checked_size, path))

    def _checked_size(self, path: Path) -> int:
        """The size of a blob's file in bytes. Raises OSError, also if its content is not the one of its name.

        A file is read again only if it has changed: an adapter of 25 MB, which each draw has, takes 20 ms.
        """
        about = path.stat()
        stamps = about.st_mtime_ns, about.st_size
        if self._checked.get(path.name) != stamps:
            _check(path)
            if len(self._checked) >= MOST_CHECKED:
                self._checked.clear()
            self._checked[path.name] = stamps
        return about.st_size

    async def sweep(self, names: Iterable[str]) -> None:
        """Delete those of ``names`` that are in no row, unless a backup is made.

        What is left is deleted by ``sweep_all``.
        """
        async with self._lock:
            with _deletions(self._folder) as allowed:
                if not allowed:
                    return
                await self._sweep(set(names))

    async def _sweep(self, names: set[str]) -> None:
        for name in names:
            if not await self._wanted(name):
                self._count(-_delete(self._path(name)))

    async def sweep_all(self) -> None:
        """Delete every blob that is in no row, and half-written files: what a killed process has left."""
        for folder in await asyncio.to_thread(lambda: sorted(self._folder.glob("??"))):
            async with self._lock:
                with _deletions(self._folder) as allowed:
                    if not allowed:
                        return
                    await self._sweep_folder(folder)
        self._bytes = None

    async def _sweep_folder(self, folder: Path) -> None:
        """One of 256 folders at a time: nobody waits long, and few names are in memory."""
        found = await asyncio.to_thread(lambda: list(folder.iterdir()))
        wanted = {row[0] for row in await self._store.rows(_NAMED, folder.name)}
        await asyncio.to_thread(_delete, *(path for path in found if path.name not in wanted))

    async def _wanted(self, name: str) -> bool:
        for table, column in COLUMNS:
            query = f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1"  # noqa: S608 - constants only
            if await self._store.row(query, name):
                return True
        return False

    def path_of(self, name: str) -> Path | None:
        """The file of a blob that is to be copied, None if it is gone."""
        path = self._path(name) if name else None
        return path if path is not None and path.is_file() else None

    def _write(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        if not self._path(name).exists():
            write_whole(self._path(name), content)
            self._path(name).chmod(0o600)
            self._count(len(content))
        return name

    def _count(self, bytes: int) -> None:
        if self._bytes is not None:
            self._bytes += bytes

    def _path(self, name: str) -> Path:
        """Raises FileNotFoundError for the empty name, which stands for a file that was deleted on purpose."""
        if not name:
            raise FileNotFoundError(errno.ENOENT, "it was deleted")
        return self._folder / name[:2] / name


@contextmanager
def no_deletions(folder: Path) -> Iterator[None]:
    """No blob is deleted meanwhile, not by another process either. Waits for deletions that are under way."""
    with locked(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def _deletions(folder: Path) -> Iterator[bool]:
    """Gives whether blobs may be deleted now: not while another process copies them."""
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            log.info("a backup is being made: unused files are deleted tonight")
            yield False
            return
        yield True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check(path: Path) -> None:
    """Raises OSError if a blob's file cannot be read, or if its content is not the one of its name."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
            raise OSError(errno.EIO, "its content has changed", str(path))


def _delete(*paths: Path) -> int:
    """Delete files; gives the bytes that they took."""
    freed = 0
    failed: dict[str, int] = {}
    for path in paths:
        try:
            size = _size(path)
            path.unlink(missing_ok=True)
            freed += size
        except OSError as error:
            why = error.strerror or type(error).__name__
            failed[why] = failed.get(why, 0) + 1
    for why, count in failed.items():
        log.warning("%d files that are not needed any more cannot be deleted yet: %s", count, why)
    return freed
