"""The segments of a JPEG: which ones Pillow gets to see, and whether a file without an end mark is whole.

Markers and their order: ITU-T T.81, annex B.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from itertools import islice

from PIL import JpegImagePlugin

SIGNATURE = b"\xff\xd8\xff"
END = b"\xff\xd9"

# 0xFF and a marker's code; not a stuffed byte (00), a restart (D0 to D7), another start (D8) or a fill byte (FF).
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd8]")
MAX_SEGMENTS = 1000  # a long profile takes 60
MAX_SCANS = 100  # progressive files have 10 to 14; each one costs a pass over all pixels

_SOS, _EOI = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, without DHT, JPG and DAC
_NO_PICTURE = {*range(0xE0, 0xF0), 0xFE}  # APP0 to APP15 and comments
# Application segments that change how the picture looks: its turn, its colours, how its channels are to be read.
_NEEDED = {0xE0: b"JFIF\0", 0xE1: b"Exif\0\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
_LEAST = {0xE0: 14, 0xE1: 8, 0xE2: 14, 0xEE: 12}  # bytes that such a segment holds at least
# Any bytes but 0xFF, which would begin a marker. A decoder that still needs data turns them into visible pixels.
_FILLING = bytes(range(0x15, 0xF5, 7)) * 4


def without_metadata(data: bytes) -> bytes:
    """The file without segments that say nothing about the look, among them those that announce second pictures.

    Raises ValueError for files of so many segments or scans that Pillow would take minutes.
    """
    markers = [marker for marker, _, _ in islice(_segments(data), MAX_SEGMENTS + 1)]
    if len(markers) > MAX_SEGMENTS or markers.count(_SOS) > MAX_SCANS:
        raise ValueError("too many segments")
    kept, place = [data[:2]], 2
    for marker, start, end in _segments(data):
        if marker == _SOS:
            break
        content = data[start + 4 : end]
        needed = content.startswith(_NEEDED.get(marker, b"\0none")) and len(content) >= _LEAST[marker]
        if marker not in _NO_PICTURE or needed:
            kept.append(data[start:end])
        place = end
    return b"".join([*kept, data[place:]])


def opened(data: bytes) -> JpegImagePlugin.JpegImageFile:
    """The first picture of a file, lazily. ``Image.open`` would give an animation if there are two."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it reads EXIF to find the dots per inch, and warns about each odd tag
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))


def ended(data: bytes) -> bytes | None:
    """A file that lacks its end mark, with one; None if pixels are missing as well.

    Where a scan stops early, the decoder makes pixels of whatever follows. So the file is decoded twice, with two
    different endings: if no pixel differs, all of them are there.
    """
    if not _scans_are_complete(data):
        return None
    data = data.rstrip(b"\xff")  # half of an end mark
    sums = set()
    for filling in (b"", _FILLING):
        with opened(data + filling + END) as image:
            image.load()
            sums.add(zlib.crc32(image.tobytes()))
    return data + END if len(sums) == 1 else None


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment. After a scan's header its coded data are skipped."""
    place = 2
    while found := _MARKER.search(data, place):
        start, marker = found.start(), data[found.start() + 1]
        if marker == _EOI or start + 4 > len(data):
            return
        place = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        yield marker, start, min(place, len(data))


def _scans_are_complete(data: bytes) -> bool:
    """Whether the scans bring all 64 coefficients of each component to full precision.

    A progressive file is written in scans of coefficients ``first`` to ``last``, the lowest ``low`` bits left out.
    """
    components: set[int] = set()
    bits: dict[tuple[int, int], int] = {}
    for marker, start, end in _segments(data):
        content = data[start + 4 : end]
        if marker in _FRAMES and len(content) >= 6:
            components = set(content[6 : 6 + 3 * content[5] : 3])
        if marker == _SOS and content and len(content) >= 4 + 2 * content[0]:
            first, last, approximation = content[1 + 2 * content[0] : 4 + 2 * content[0]]
            for component in content[1 : 1 + 2 * content[0] : 2]:
                for coefficient in range(first, min(last, 63) + 1):
                    bits[component, coefficient] = approximation & 15
    return bool(components) and all(bits.get((c, k), 1) == 0 for c in components for k in range(64))
