"""Locks on folders, and folders to work in. The kernel drops a lock when its process ends, also by a kill."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Lock the folder itself, as ``fcntl.flock`` does. Makes it. Raises BlockingIOError if it would have to wait."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


@contextmanager
def scratch(folder: Path, prefix: str) -> Iterator[Path]:
    """A folder to work in, in ``folder``, deleted at the end. Those of processes that were killed are deleted first."""
    for left in folder.glob(f"{prefix}*/"):
        with suppress(OSError), locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as made, locked(Path(made), fcntl.LOCK_EX):
        yield Path(made)
