"""Jobs and events as frames on a pipe: one line of JSON, then the pictures and files that it refers to.

    {"kind": "Draw", "fields": {"id": 7, ..., "adapter": {"$bytes": 0}}, "sizes": [3224208]}\\n<3224208 bytes>

No pickle: a frame can only become one of the dataclasses in ``KINDS``.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
from asyncio import IncompleteReadError, StreamReader
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, BinaryIO

from lora import jobs
from lora.jobs import FileContent, JobError

MAX_HEADER = 4 * 2**20  # bytes of the JSON line; the captions of a training need far less
PIPE_BYTES = 2**20  # of Linux's default limit for people other than root
MAX_BYTES = 2**32  # of all pictures and files of a frame; 100 samples of 20 MB each are half of it


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Asks the worker to stop a job."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Says that the worker's process runs. ``progress`` counts how often its main loop has gone on.

    ``idle`` is true while the loop waits for a job.
    """

    progress: int
    idle: bool


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices of the worker's machine that ``auto`` stands for, by name, its own first."""

    names: tuple[str, ...]


KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        jobs.Train,
        jobs.Draw,
        jobs.CutOut,
        jobs.DrawOptions,
        jobs.Sample,
        jobs.SavedCheckpoint,
        jobs.TrainSettings,
        Cancel,
        Heartbeat,
        Devices,
        jobs.CannotWork,
        jobs.Ready,
        jobs.Finding,
        jobs.Findings,
        jobs.Progress,
        jobs.Checkpoint,
        jobs.Score,
        jobs.Compared,
        jobs.Trained,
        jobs.Drawn,
        jobs.CutPicture,
        jobs.Spent,
        jobs.Finished,
        jobs.Cancelled,
        jobs.Failed,
        jobs.Lost,
    )
}


class WireError(Exception):
    """The bytes on the pipe are not a valid frame."""


def widen(pipe: int) -> None:
    """Let the pipe with this descriptor hold PIPE_BYTES, on Linux.

    A usual pipe holds 64 KiB: an adapter of 25 MB would interrupt a worker that draws 400 times.
    """
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # no pipe, or this person's pipes hold as much as they may
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def split(message: Any) -> tuple[bytes, list[bytes | FileContent]]:
    """A job, event, Cancel or Heartbeat as a frame in parts: its first line, then what follows in this order.

    A FileContent is to be written as exactly ``size`` bytes. Raises JobError if the frame would be too large.
    """
    parts: list[bytes | FileContent] = []
    header = _plain(message, parts)
    header["sizes"] = [part.size if isinstance(part, FileContent) else len(part) for part in parts]
    if sum(header["sizes"]) > MAX_BYTES:
        raise JobError("out-of-memory", f"{sum(header['sizes'])} bytes are too many for one job")
    return json.dumps(header).encode() + b"\n", parts


def pack(message: Any) -> bytes:
    """A message as one frame. It must hold no FileContent."""
    line, parts = split(message)
    assert not any(isinstance(part, FileContent) for part in parts)
    return b"".join([line, *(part for part in parts if isinstance(part, bytes))])


def joined(line: bytes, parts: list[bytes]) -> Any:
    """The message of a frame's first line and what follows. Raises WireError."""
    return _message(_header(line), parts)


def unpack(frame: bytes) -> Any:
    """The message of a whole frame. Raises WireError."""
    return read(io.BytesIO(frame))


def read(stream: BinaryIO) -> Any | None:
    """The next message from a blocking pipe, or None at its end. Raises WireError."""
    line = stream.readline(MAX_HEADER)
    if not line:
        return None
    header = _header(line)
    blobs = [_read_all(stream, size) for size in header["sizes"]]
    return _message(header, blobs)


async def read_async(stream: StreamReader) -> Any | None:
    """The next message from an asyncio pipe, or None at its end, also in the middle of a frame. Raises WireError.

    A worker that was killed while it wrote leaves half a frame behind.
    """
    try:
        line = await stream.readuntil(b"\n")
        header = _header(line)
        blobs = [await stream.readexactly(size) for size in header["sizes"]]
    except IncompleteReadError:
        return None
    return _message(header, blobs)


def _read_all(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise WireError("the pipe ended in the middle of a frame")
    return data


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        sizes = header["sizes"]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError("no frame header") from error
    if not all(isinstance(size, int) and size >= 0 for size in sizes) or sum(sizes) > MAX_BYTES:
        raise WireError("impossible sizes")
    return dict(header)


def _message(header: dict[str, Any], blobs: list[bytes]) -> Any:
    try:
        return _whole(header, blobs)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise WireError("a frame of no known kind") from error


def _plain(value: Any, blobs: list[bytes | FileContent]) -> Any:
    """A dataclass as JSON values. Each ``bytes`` in it is appended to ``blobs`` and replaced by its index there."""
    if isinstance(value, bytes | FileContent):
        blobs.append(value)
        return {"$bytes": len(blobs) - 1}
    if is_dataclass(value):
        named = {entry.name: _plain(getattr(value, entry.name), blobs) for entry in fields(value)}
        return {"kind": type(value).__name__, "fields": named}
    if isinstance(value, tuple):
        return [_plain(entry, blobs) for entry in value]
    return value


def _whole(value: Any, blobs: list[bytes]) -> Any:
    """The inverse of ``_plain``."""
    if isinstance(value, list):
        return tuple(_whole(entry, blobs) for entry in value)
    if isinstance(value, dict) and "$bytes" in value:
        return blobs[value["$bytes"]]
    if isinstance(value, dict):
        kind = KINDS[value["kind"]]
        return kind(**{name: _whole(entry, blobs) for name, entry in value["fields"].items()})
    return value
