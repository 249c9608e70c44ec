"""A contact sheet of samples: numbered pictures with their captions' beginnings. Blocking; use a thread."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from lora import fonts

COLUMNS, CELL, LABEL, GAP = 4, 200, 40, 10  # px
NUMBER, TEXT = 18, 15  # px
PAPER, INK, BADGE, WHITE = (250, 250, 252), (40, 40, 48), (36, 129, 204), (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of the sheet."""

    number: int
    picture: bytes = field(repr=False)
    caption: str = field(repr=False)


def draw(entries: Sequence[Entry]) -> bytes:
    """The sheet as a JPEG, four pictures a row."""
    rows = -(-len(entries) // COLUMNS)
    size = (GAP + COLUMNS * (CELL + GAP), GAP + rows * (CELL + LABEL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    for place, entry in enumerate(entries):
        left = GAP + place % COLUMNS * (CELL + GAP)
        top = GAP + place // COLUMNS * (CELL + LABEL + GAP)
        _paste(sheet, entry, left, top)
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=88)
    return out.getvalue()


def _paste(sheet: Image.Image, entry: Entry, left: int, top: int) -> None:
    with Image.open(io.BytesIO(entry.picture)) as image:  # was checked when it came in
        image.draft("RGB", (CELL, CELL))  # lets JPEGs be decoded small
        rgba = image.convert("RGBA")
    rgba.thumbnail((CELL, CELL))
    at = (left + (CELL - rgba.width) // 2, top + (CELL - rgba.height) // 2)
    sheet.paste(rgba, at, rgba)
    pen = ImageDraw.Draw(sheet)
    number = str(entry.number)
    pen.rounded_rectangle((left, top, left + 16 + 11 * len(number), top + 26), 8, fill=BADGE)
    fonts.write(pen, (left + 8, top + 2), number, NUMBER, WHITE)
    for row, part in enumerate(fonts.wrapped(entry.caption, TEXT, CELL, 2)):
        fonts.write(pen, (left, top + CELL + 1 + row * fonts.line_height(TEXT)), part, TEXT, INK)
