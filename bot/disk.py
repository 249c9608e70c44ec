"""How full the data folder is: a budget, warnings to the admins, and no new trainings when it is nearly used up."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bot.blobs import Blobs
from bot.state_log import StateLog
from bot.telling import telling

log = logging.getLogger(__name__)

GIGABYTE = 1_000_000_000
WARN, FULL = 0.80, 0.95  # shares of the budget
LOOK_SECONDS = 600.0
FILES, FOLDERS = (
    ("bot.sqlite", "bot.lock"),
    ("", "blobs", "cache", "outgoing"),
)  # what the bot makes in the data folder


def unusable(folder: Path) -> str | None:
    """What is wrong with what is in the data folder: a folder in the place of a file, or somebody else's files."""
    try:
        return _misplaced(folder) or _unreadable(folder)
    except PermissionError as error:
        return _of_others(Path(error.filename).parent)


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there and that this user can see."""
    # Path's own ``exists`` raises where this user may not look.
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))


def _misplaced(folder: Path) -> str | None:
    for name, is_right, kind in [
        *((name, Path.is_file, "file") for name in FILES),
        *((name, Path.is_dir, "folder") for name in FOLDERS),
    ]:
        if (folder / name).exists() and not is_right(folder / name):
            return f"{folder / name} is no {kind}: move it away, or set storage.dir"
    return None


def _unreadable(folder: Path) -> str | None:
    for path in (folder / name for name in (*FILES, *FOLDERS)):
        if path.exists() and not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            return _of_others(path)
    return None


def _of_others(path: Path) -> str:
    todo = "run this as its owner, or chown -R it to the user that runs the bot"
    return f"user {os.getuid()} may not read {path}: {todo}"


@dataclass(frozen=True, kw_only=True)
class Use:
    """Bytes that the data folder takes, and how many it may take."""

    used: int
    budget: int

    @property
    def share(self) -> float:
        """The used part of the budget."""
        return self.used / max(1, self.budget)


class Disk:
    """The data folder. Its budget is ``max_gb``, and never more than what is free on the disk; 0 = only that."""

    def __init__(self, *, folder: Path, max_gb: float, blobs: Blobs) -> None:
        self._folder = folder
        self._max_bytes = int(max_gb * GIGABYTE)
        self._blobs = blobs
        self._state = StateLog(log, "there is room on the disk again")

    async def run(self) -> None:
        """Look every ten minutes until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> Use:
        """Measure, and log and tell when little room is left."""
        use = await self.use()
        values = {"share": round(100 * use.share), "used": _gb(use.used), "budget": _gb(use.budget)}
        text = "the data takes {share} % of its budget: {used} of {budget} GB".format(**values)
        if use.share >= FULL:
            self._state.fails("full", f"{text}; no new trainings", extra=telling("admin-disk-95", **values))
        elif use.share >= WARN:
            self._state.fails("warn", text, extra=telling("admin-disk-80", **values))
        else:
            self._state.works()
        return use

    async def has_room(self) -> bool:
        """Whether a new training may begin."""
        return (await self.look()).share < FULL

    async def use(self) -> Use:
        """What is taken now. Blobs are counted as they come and go, other files are few."""
        used = await self._blobs.total() + await asyncio.to_thread(_other_bytes, self._folder)
        free = shutil.disk_usage(self._folder).free
        budget = used + free
        return Use(used=used, budget=min(budget, self._max_bytes) if self._max_bytes else budget)


def _gb(bytes: int) -> float:
    return round(bytes / GIGABYTE, 2)


def _other_bytes(folder: Path) -> int:
    """All files but the blobs."""
    total = 0
    for path in folder.iterdir():
        files = [path] if path.is_file() else path.rglob("*") if path.name != "blobs" else []
        for file in files:
            try:
                total += file.stat().st_size if file.is_file() else 0
            except FileNotFoundError:
                continue  # it went meanwhile
    return total
