"""The engine's end of the pipe from which a worker process reads its jobs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from lora.engine import wire
from lora.jobs import FileContent

Frame = tuple[bytes, Sequence[bytes | FileContent]]  # of wire.split
CANNOT_SPLICE = (errno.EINVAL, errno.ENOSYS, errno.EPERM)  # this kernel or this file system


class JobPipe:
    """Frames are written by a thread of the pipe's own, whole and in order, so the event loop copies no adapter.

    On Linux the kernel moves a file's pages into the pipe (splice(2)): 25 MB cost 0.6 ms of this process instead of
    13 ms.
    """

    def __init__(self) -> None:
        """Raises OSError, and RuntimeError if no thread can be started."""
        self._frames: queue.SimpleQueue[tuple[Frame, Future[None]] | None] = queue.SimpleQueue()
        self._closed = False
        self.worker_end, self._end = os.pipe()  # no process has them that is not given them
        wire.widen(self._end)
        try:
            threading.Thread(target=self._run, name="job-pipe", daemon=True).start()
        except RuntimeError:
            os.close(self.worker_end)
            os.close(self._end)
            raise

    def started(self) -> None:
        """The worker has its end. Without this process's copy of it, writing fails when the worker is dead."""
        os.close(self.worker_end)

    async def send(self, frame: Frame) -> None:
        """Write a frame. Raises ConnectionError if the worker is dead or the pipe closed.

        Raises OSError if a file cannot be read. Zeros are written in its place, so that the worker still finds the
        beginning of the next frame. If the caller is cancelled, the frame is written whole or not at all.
        """
        if self._closed:
            raise BrokenPipeError
        written: Future[None] = Future()
        self._frames.put((frame, written))
        await asyncio.wrap_future(written)

    def close(self) -> None:
        """Close the pipe after the frames that wait; if the worker reads nothing, it must be killed."""
        self._closed = True
        self._frames.put(None)

    def _run(self) -> None:
        while (one := self._frames.get()) is not None:
            frame, written = one
            if not written.set_running_or_notify_cancel():
                continue
            try:
                self._write(*frame)
            except OSError as error:
                written.set_exception(error)
            else:
                written.set_result(None)
        os.close(self._end)

    def _write(self, line: bytes, parts: Sequence[bytes | FileContent]) -> None:
        unreadable: OSError | None = None
        self._write_all(line)
        for part in parts:
            if isinstance(part, bytes):
                self._write_all(part)
            elif (error := self._write_file(part)) is not None:
                unreadable = unreadable or error
        if unreadable is not None:
            raise unreadable

    def _write_all(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._end, left) :]

    def _write_file(self, part: FileContent) -> OSError | None:
        """Write exactly ``size`` bytes; why they are not the file's content, if they are not."""
        written = 0
        try:
            with part.path.open("rb", buffering=0) as file:
                if _size(file.fileno()) != part.size:
                    raise part.changed()
                while written < part.size:
                    moved = self._move(file.fileno(), part.size - written)
                    if not moved:
                        raise part.changed()
                    written += moved
        except ConnectionError:
            raise
        except OSError as error:
            while written < part.size:
                zeros = bytes(min(wire.PIPE_BYTES, part.size - written))
                self._write_all(zeros)
                written += len(zeros)
            return error
        return None

    def _move(self, file: int, most: int) -> int:
        """Some bytes from a file into the pipe; how many."""
        if hasattr(os, "splice"):
            with contextlib.suppress(_CannotSplice):
                return _splice(file, self._end, most)
        data = os.read(file, min(wire.PIPE_BYTES, most))
        self._write_all(data)
        return len(data)


class _CannotSplice(Exception):
    """The file has to be read instead."""


def _splice(file: int, pipe: int, most: int) -> int:
    try:
        return os.splice(file, pipe, most)
    except OSError as error:
        if error.errno in CANNOT_SPLICE:
            raise _CannotSplice from error
        raise


def _size(file: int) -> int:
    return os.fstat(file).st_size
