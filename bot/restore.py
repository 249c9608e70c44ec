"""``python -m bot restore FILE [--dir DIR]`` puts a backup into an empty folder, after everything in it was checked.

The database comes last: until then the bot would find nothing there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bot import config
from bot.backup_file import DATABASE, Manifest, unpack
from bot.errors import ConfigError
from bot.program import program
from bot.scratch_folder import scratch

PART = ".restoring-"


def main(argv: Sequence[str], config_path: Path | None) -> int:
    """The exit code 0. Raises ConfigError if nothing was restored."""
    parser = argparse.ArgumentParser(prog=f"{program()} restore", description=__doc__)
    parser.add_argument("file", type=Path, help="what python -m bot backup has written")
    parser.add_argument("--dir", type=Path, help="an empty folder; default: storage.dir of the configuration")
    chosen = parser.parse_args(argv)
    folder = chosen.dir or config.load(config_path).storage.dir
    manifest = restore(chosen.file, folder)
    sys.stdout.write(f"restored {manifest.blobs} files and the database to {folder}\n")
    return 0


def restore(file: Path, folder: Path) -> Manifest:
    """Restore a backup. Raises ConfigError, and then nothing was restored."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_empty(folder)
        folder.chmod(0o700)
        with scratch(folder, PART) as part:
            (part / "blobs").mkdir(mode=0o700)
            manifest = unpack(file, part / "blobs", part)
            _check_empty(folder)  # a bot may have been started on it meanwhile
            (part / "blobs").rename(folder / "blobs")
            (part / DATABASE).rename(folder / DATABASE)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{folder} is no folder: name an empty one with --dir") from error
    except OSError as error:
        raise ConfigError(f"nothing was restored to {folder}: {error.strerror or error}") from error
    return manifest


def _check_empty(folder: Path) -> None:
    if any(not path.name.startswith(PART) for path in folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty: name an empty folder with --dir, then set storage.dir to it"
        )
