"""Pictures, adapters and stickers as files named by their content: written whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from pathlib import Path

_SHA = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of immutable files. Only the bot's process writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, data: bytes) -> str:
        """Store bytes; returns their sha256, which is their name. The same bytes are stored once."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, sha: str) -> bytes:
        """The bytes of that name. Raises FileNotFoundError."""
        return await asyncio.to_thread(self.path(sha).read_bytes)

    async def forget(self, sha: str) -> None:
        """Delete a file, if it is there."""
        await asyncio.to_thread(self.path(sha).unlink, missing_ok=True)

    def path(self, sha: str) -> Path:
        """Where that file lies. A name that is no sha256 is a mistake of ours, never a path."""
        assert _SHA.fullmatch(sha), "not a sha256"
        return self.folder / sha[:2] / sha

    def _put(self, data: bytes) -> str:
        sha = hashlib.sha256(data).hexdigest()
        path = self.path(sha)
        if path.exists():
            return sha
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        return sha
