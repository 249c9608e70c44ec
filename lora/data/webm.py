"""The frames of a WebM's first video track, colours and transparency apart, as decoders take them.

A video sticker has two VP9 streams: the pictures, and beside each, as a block's addition, its alpha channel as the
brightness of another picture. Formats: RFC 8794 (EBML), RFC 9559 (Matroska), https://www.webmproject.org/docs/container/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MASTERS = {
    0x18538067,  # Segment
    0x1654AE6B,  # Tracks
    0xAE,  # TrackEntry
    0xE0,  # Video
    0x1F43B675,  # Cluster
    0xA0,  # BlockGroup
    0x75A1,  # BlockAdditions
    0xA6,  # BlockMore
}
SEGMENT, CLUSTER, CODEC = 0x18538067, 0x1F43B675, 0x86
WIDTH, HEIGHT, SIMPLE_BLOCK, BLOCK, ADDITION = 0xB0, 0xBA, 0xA3, 0xA1, 0xA5
LACING = 0x06  # flags of a block that holds several frames
MAX_FRAMES = 200  # a sticker has at most 3 seconds of 30


class WebmError(Exception):
    """It is no WebM of VP9 that can be read."""


@dataclass(frozen=True, kw_only=True)
class Video:
    """``frames`` are VP9; ``alpha`` is empty or has one for each of them. Sizes in pixels."""

    width: int
    height: int
    frames: list[bytes] = field(repr=False)
    alpha: list[bytes] = field(repr=False)

    def ivf(self, frames: list[bytes]) -> bytes:
        """One of the two streams in the plainest container: a header, then each frame with its size and number."""
        head = struct.pack(
            "<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP90", self.width, self.height, 30, 1, len(frames), 0
        )
        parts = [struct.pack("<IQ", len(frame), number) + frame for number, frame in enumerate(frames)]
        return head + b"".join(parts)


def read(data: bytes) -> Video:
    """The video of a WebM. Raises WebmError."""
    width = height = 0
    frames: list[bytes] = []
    alpha: list[bytes] = []
    try:
        for id, body in _elements(data, 0, len(data)):
            if id == CODEC and body != b"V_VP9":
                raise WebmError
            if id == WIDTH:
                width = width or int.from_bytes(body)
            if id == HEIGHT:
                height = height or int.from_bytes(body)
            if id in (SIMPLE_BLOCK, BLOCK):
                frames.append(_frame(body))
            if id == ADDITION:
                alpha.append(body)
            if len(frames) > MAX_FRAMES:
                break
    except (IndexError, struct.error) as error:
        raise WebmError from error
    if not frames or not 0 < width <= 0xFFFF or not 0 < height <= 0xFFFF:
        raise WebmError
    return Video(width=width, height=height, frames=frames, alpha=alpha if len(alpha) == len(frames) else [])


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """All elements that hold no others, in order; those that do are gone into."""
    while start < end:
        id, start = _number(data, start, keep_mark=True)
        size, start = _number(data, start, keep_mark=False)
        if id in MASTERS:
            if id in (SEGMENT, CLUSTER):  # of these the size may be unknown: what is in them just follows
                continue
            yield from _elements(data, start, min(start + size, end))
        else:
            yield id, data[start : min(start + size, end)]
        start += size


def _number(data: bytes, place: int, *, keep_mark: bool) -> tuple[int, int]:
    """A number of 1 to 8 bytes, whose leading zero bits tell how many, and where it ends. Raises WebmError."""
    length = 9 - data[place].bit_length()
    if length > 8 or place + length > len(data):
        raise WebmError
    value = int.from_bytes(data[place : place + length])
    return (value if keep_mark else value & ~(1 << 7 * length)), place + length


def _frame(block: bytes) -> bytes:
    """The frame of a block: behind its track's number, time (2 bytes) and flags."""
    _, place = _number(block, 0, keep_mark=False)
    if block[place + 2] & LACING:
        raise WebmError
    return block[place + 3 :]
