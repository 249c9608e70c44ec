"""The chunks of a PNG that say what it looks like. All others are dropped before Pillow opens the file.

Pillow refuses a picture for a fault in a text, a time or a colour profile beside it; viewers do not. Chunks and
their order: https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE_BYTES = 8 * 1024 * 1024  # unpacked; profiles of printing presses have 1 to 3 MB
GREY, RGB, PALETTE = 0, 2, 3  # colour types that can have a tRNS chunk

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
_ANYWHERE = (b"eXIf",)
_BEFORE = (b"acTL", b"tRNS", b"iCCP", b"eXIf")  # in front of the pixels


@dataclass(frozen=True, kw_only=True)
class Png:
    """A PNG without what Pillow trips over."""

    data: bytes  # the file to open
    profile: bytes  # the unpacked ICC profile; empty if there is none or it cannot be unpacked
    frames: int  # 1 for a still picture
    depth: int  # bits of a sample: 1, 2, 4, 8 or 16
    # The transparent colour of a grey (1 value) or RGB (3 values) picture, in samples of ``depth`` bits; else empty.
    key: tuple[int, ...]


def read(data: bytes) -> Png:
    """Split a file that starts with ``SIGNATURE`` into chunks. Never fails: what is broken, Pillow will refuse.

    Ancillary chunks with a wrong checksum are dropped, as libpng does.
    """
    before: list[memoryview] = []  # critical chunks in front of the pixels
    pixels: list[memoryview] = []
    found: dict[bytes, bytes] = {}
    for name, chunk in _chunks(memoryview(data)):
        if name in _CRITICAL:
            (pixels if pixels or name == b"IDAT" else before).append(chunk)
        elif name not in found and name in (_ANYWHERE if pixels else _BEFORE) and _sound(chunk):
            found[name] = bytes(chunk[8:-4])
    depth, colour_type = (data[24], data[25]) if len(data) > 25 else (0, 0)  # the header is the first chunk
    wanted = [name for name in found if name == b"eXIf" or (name == b"tRNS" and colour_type == PALETTE)]
    beside = [_chunk(name, found[name]) for name in wanted]
    return Png(
        data=b"".join([SIGNATURE, *before, *beside, *pixels, _chunk(b"IEND", b"")]),
        profile=_profile(found.get(b"iCCP", b"")),
        frames=int.from_bytes(found.get(b"acTL", b"")[:4], "big") or 1,
        depth=depth,
        key=_key(found.get(b"tRNS", b""), depth, colour_type),
    )


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(name, whole chunk) up to the end chunk. The last one may be cut off."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"IEND":
            return
        end = place + 12 + length  # length, name and checksum have four bytes each
        yield name, data[place:end]
        place = end


def _sound(chunk: memoryview) -> bool:
    """Whether a chunk is whole and its checksum is right."""
    whole = len(chunk) == 12 + int.from_bytes(chunk[:4], "big")
    return whole and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _key(content: bytes, depth: int, colour_type: int) -> tuple[int, ...]:
    """The colour of a tRNS chunk. Each value has 16 bits, of which only the lowest ``depth`` count."""
    count = {GREY: 1, RGB: 3}.get(colour_type, 0)
    if not count or len(content) < 2 * count:
        return ()
    return tuple(value & ((1 << depth) - 1) for value in struct.unpack_from(f">{count}H", content))


def _profile(content: bytes) -> bytes:
    """What an iCCP chunk holds: a name, a zero, the method (0 = deflate), the packed profile."""
    _, _, packed = content.partition(b"\0")
    if packed[:1] != b"\0":
        return b""
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if unpacker.eof else b""
