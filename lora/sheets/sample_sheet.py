"""A sheet of a style's samples: numbered pictures with the beginnings of their captions. No torch here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from lora import fonts
from lora.sheets.paint import INK, LINE, PAPER, badge

COLUMNS, CELL, LABEL, GAP, TEXT = 4, 200, 40, 10, 15  # px, but for the columns
CAPTION_LINES = 2


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of the sheet. ``picture`` is an encoded file whose size was checked before; empty: it is lost."""

    number: int
    picture: bytes = field(repr=False)
    caption: str = field(repr=False)


def sample_sheet(entries: Sequence[Entry]) -> bytes:
    """The sheet as a JPEG, four pictures a row; a lost one is a grey square. It decodes all: call it in a thread."""
    rows = max(1, -(-len(entries) // COLUMNS))
    size = (GAP + COLUMNS * (CELL + GAP), GAP + rows * (CELL + LABEL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    for place, entry in enumerate(entries):
        left = GAP + place % COLUMNS * (CELL + GAP)
        top = GAP + place // COLUMNS * (CELL + LABEL + GAP)
        _draw_entry(sheet, entry, left, top)
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=88)
    return out.getvalue()


def _decoded(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("RGB", (CELL, CELL))  # a JPEG is then decoded at a smaller size
        rgba = image.convert("RGBA")
    rgba.thumbnail((CELL, CELL))
    return rgba


def _draw_entry(sheet: Image.Image, entry: Entry, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    try:
        rgba = _decoded(entry.picture)
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises for nothing, or for half a file
        pen.rectangle((left, top, left + CELL - 1, top + CELL - 1), LINE)
    else:
        at = (left + (CELL - rgba.width) // 2, top + (CELL - rgba.height) // 2)
        sheet.paste(rgba, at, rgba)
    badge(pen, (left, top), entry.number)
    for row, part in enumerate(fonts.wrapped(entry.caption, TEXT, CELL, CAPTION_LINES)):
        fonts.write(pen, (left, top + CELL + 1 + row * fonts.line_height(TEXT)), part, TEXT, INK)
