"""Writes picture files that no library writes: PNGs chunk by chunk, ICC profiles tag by tag."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

GREY, RGB, PALETTE = 0, 2, 3
# Columns of the matrices from linear RGB to XYZ under D50, as ICC profiles hold them.
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(name + content)
    return (
        struct.pack(">I4s", len(content), name)
        + content
        + struct.pack(">I", right if checksum is None else checksum)
    )


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header, which is 33 bytes with the signature."""
    return png[:33] + b"".join(chunks) + png[33:]


def png(samples: np.ndarray, depth: int, colour_type: int, *chunks: bytes) -> bytes:
    """A PNG of samples [height, width, channels] of ``depth`` bits, with chunks in front of the pixels."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + _packed(row.ravel(), depth) for row in samples)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *chunks,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def _packed(values: np.ndarray, depth: int) -> bytes:
    """A row's samples, the first one in the highest bits."""
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def iccp(profile: bytes, method: int = 0) -> bytes:
    return chunk(b"iCCP", b"a profile\0" + bytes([method]) + zlib.compress(profile))


def rgb_profile(columns: Sequence[Sequence[float]]) -> bytes:
    """An ICC profile of three primaries with sRGB's curve."""
    curve = b"para" + struct.pack(">IHH", 0, 3, 0) + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags = {
        name: b"XYZ \0\0\0\0" + _fixed(*xyz)
        for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
    }
    return _profile(b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma: float) -> bytes:
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(lab_of_cyan: tuple[int, int, int]) -> bytes:
    """An ICC profile in which full cyan has a given colour (L 0..100, a, b), no ink is white, anything else black."""
    corners = [(0, 128, 128)] * 16  # L* from 0 to 255, a* and b* around 128
    corners[0] = (255, 128, 128)
    corners[8] = (round(lab_of_cyan[0] * 2.55), lab_of_cyan[1] + 128, lab_of_cyan[2] + 128)
    table = b"mft1" + struct.pack(">IBBBB", 0, 4, 3, 2, 0) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += (
        bytes(range(256)) * 4 + bytes(value for corner in corners for value in corner) + bytes(range(256)) * 3
    )
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, kind=b"prtr")


def _fixed(*values: float) -> bytes:
    """Numbers as ICC's s15Fixed16."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(0.9642, 1, 0.8249)} | tags
    place, entries, content = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        entries += struct.pack(">4sII", name, place + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    size = place + len(content)
    header = struct.pack(">I4sI4s4s4s12x4s", size, b"\0\0\0\0", 0x04200000, kind, space, connection, b"acsp")
    header = header.ljust(68, b"\0") + _fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + content
