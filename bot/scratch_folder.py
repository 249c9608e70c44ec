"""Folders to work in. What a killed process has left is told by its lock, which the kernel has dropped."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lora.files import locked


@contextmanager
def scratch(folder: Path, prefix: str) -> Iterator[Path]:
    """A folder to work in, in ``folder``, deleted at the end. Those of processes that were killed are deleted first."""
    for left in folder.glob(f"{prefix}*/"):
        with suppress(OSError), locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as made, locked(Path(made), fcntl.LOCK_EX):
        yield Path(made)
