"""``python -m bot backup FILE`` writes everything that the bot keeps into one file, while the bot runs.

``python -m bot backup --verify FILE`` checks such a file.

The database is copied by SQLite's online backup. From before that until the last file is copied, the bot deletes no
blob (``Blobs``), and it writes a blob before the row that names it. So every blob that the copy names is there.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bot import config
from bot.backup_file import (
    DATABASE,
    FORMAT,
    MANIFEST,
    Manifest,
    digest_of,
    is_full,
    names_of_blobs,
    step_of,
    unpack,
)
from bot.blobs import no_deletions
from bot.disk import unusable
from bot.errors import ConfigError
from bot.program import program
from bot.scratch_folder import scratch

PART = ".stickersmith-backup-"  # what a killed backup leaves beside its file begins so


def main(argv: Sequence[str], config_path: Path | None) -> int:
    """The exit code: 0 done, 1 done but files had been lost before. Raises ConfigError if there is no backup."""
    parser = argparse.ArgumentParser(prog=f"{program()} backup", description=__doc__)
    parser.add_argument(
        "file", type=Path, help="a .tar; one that is there is replaced when the new one is whole"
    )
    parser.add_argument("--verify", action="store_true", help="check this backup, and change nothing")
    chosen = parser.parse_args(argv)
    if chosen.verify:
        with tempfile.TemporaryDirectory(prefix=PART) as folder:
            manifest = unpack(chosen.file, None, Path(folder))
    else:
        manifest = backup(config.load(config_path).storage.dir, chosen.file)
    sys.stdout.write(f"{chosen.file} is whole: {manifest.blobs} files, {manifest.size / 1e6:.1f} MB\n")
    if manifest.lost:
        sys.stderr.write(f"{len(manifest.lost)} files had been lost or damaged before it was made\n")
    return 1 if manifest.lost else 0


def backup(storage: Path, file: Path) -> Manifest:
    """Write a backup: the whole file or none. Raises ConfigError."""
    if problem := unusable(storage):
        raise ConfigError(f"no backup was made: {problem}")
    if not (storage / "bot.sqlite").is_file():
        raise ConfigError(f"there is no database in {storage}")
    file = file.resolve()
    _check_place(storage, file)
    try:
        with scratch(file.parent, PART) as folder, no_deletions(storage / "blobs"):
            part = folder / "backup.tar"
            _copy_database(storage / "bot.sqlite", folder / DATABASE)
            manifest = _write(part, folder / DATABASE, storage / "blobs")
            part.replace(file)
            _sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"no backup was made: {_reason(error, file)}") from error
    return manifest


def _reason(error: OSError | sqlite3.Error, file: Path) -> str:
    if is_full(error):
        return f"the disk of {file.parent} is full"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _check_place(storage: Path, file: Path) -> None:
    """Raise ConfigError if the file cannot be written, or if there is something else that it would replace."""
    if file.is_dir():
        raise ConfigError(f"{file} is a folder: name a file in it, such as {file / 'stickersmith.tar'}")
    if not file.parent.is_dir():
        raise ConfigError(f"{file.parent} is no folder: make it, or name a file elsewhere")
    if file.is_relative_to(storage.resolve()) and file.suffix != ".tar":
        raise ConfigError(f"{file} is in the bot's own folder, where a backup must end with .tar")
    if file.exists() and not (file.is_file() and (file.stat().st_size == 0 or tarfile.is_tarfile(file))):
        raise ConfigError(f"{file} is there and no backup: name another file")


def _copy_database(source: Path, target: Path) -> None:
    """SQLite's online backup: as of one moment, while others read and write."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def _write(part: Path, database: Path, blobs: Path) -> Manifest:
    names = sorted(names_of_blobs(database))
    lost = [name for name in names if not _is_whole(blobs / name[:2] / name)]
    paths = [blobs / name[:2] / name for name in names if name not in set(lost)]
    manifest = Manifest(
        format=FORMAT,
        step=step_of(database),
        made_at=time.time(),
        sha256=digest_of(database),
        blobs=len(paths),
        size=sum(path.stat().st_size for path in paths) + database.stat().st_size,
        lost=lost,
    )
    with part.open("wb") as file:
        part.chmod(0o600)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, io.BytesIO(manifest.json()), len(manifest.json()))
            for path in (database, *paths):
                name = DATABASE if path is database else f"blobs/{path.parent.name}/{path.name}"
                with path.open("rb") as content:
                    _add(tar, name, content, path.stat().st_size)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _add(tar: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    tar.addfile(member, content)


def _is_whole(path: Path) -> bool:
    try:
        return digest_of(path) == path.name
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
