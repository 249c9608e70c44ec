"""Files that are complete or not there, also after a kill; locks, which the kernel drops then; a command's output."""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

NEW_SECONDS = 60.0


def write_whole(path: Path, data: bytes) -> None:
    """Write to a file beside ``path`` and rename it, so that a reader never sees half a file. Makes the folder.

    Raises OSError that names ``path``, not the temporary file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write_and_rename(path: Path, data: bytes) -> None:
    handle, part = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


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
def folder_made(folder: Path, prefix: str) -> Iterator[Path]:
    """A folder to fill, beside ``folder``, which is then renamed to it: it is complete or not there at all.

    Two processes may do this at once: then the first one's stays. Raises OSError that names ``folder``, also for
    safetensors' errors about the disk, which are of a type of their own.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(folder.parent, prefix)
        part = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            with ExitStack() as held:
                with suppress(OSError):  # a file system without locks: then nothing is ever taken for left
                    held.enter_context(locked(part, fcntl.LOCK_EX))
                yield part
                part.chmod(0o755)
                try:
                    part.rename(folder)
                except OSError:
                    if not folder.is_dir() or not any(folder.iterdir()):
                        raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except Exception as error:
        if (number := _number(error)) is None:
            raise
        raise OSError(number, os.strerror(number), str(folder)) from error


def _remove_left(place: Path, prefix: str) -> None:
    """Remove what killed processes have left: their locks are gone. One that was just made may not be locked yet."""
    for left in place.glob(f"{prefix}*/"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > NEW_SECONDS:
                with locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    shutil.rmtree(left, ignore_errors=True)


def _number(error: Exception) -> int | None:
    """The number of an error of the machine: Python's own, or as libraries in Rust write it."""
    if isinstance(error, OSError):
        return error.errno
    written = re.search(r"\(os error (\d{1,4})\)", str(error))
    return None if written is None else int(written[1])


def with_output(command: Callable[[], int]) -> int:
    """Run a command and write out what it has printed. Its exit code, or a shell's of SIGPIPE if nobody reads on.

    What the terminal cannot show, such as a file's name that is not UTF-8, is written as an escape, as on stderr.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # ``| head`` has ended; Python flushes once more at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
