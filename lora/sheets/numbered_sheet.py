"""Contact sheets to choose from: a row for each caption, and a number on every picture. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from lora import fonts
from lora.sheets.paint import INK, LINE, PAPER, badge

ROWS = 10  # on one sheet
CELL, GAP, LABEL, TEXT = 176, 10, 190, 16  # px
TEXT_LINES = 8


@dataclass(frozen=True, kw_only=True)
class NumberedRow:
    """One caption and its candidates as (number, picture)."""

    caption: str = field(repr=False)
    pictures: Sequence[tuple[int, Image.Image]]


def sheets(rows: Sequence[NumberedRow]) -> list[Image.Image]:
    """All rows, on as many RGB sheets as they need."""
    columns = max(len(row.pictures) for row in rows)
    return [_sheet(rows[start : start + ROWS], columns) for start in range(0, len(rows), ROWS)]


def _sheet(rows: Sequence[NumberedRow], columns: int) -> Image.Image:
    size = (LABEL + 2 * GAP + columns * (CELL + GAP), GAP + len(rows) * (CELL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for line, row in enumerate(rows):
        top = GAP + line * (CELL + GAP)
        for number, part in enumerate(fonts.wrapped(row.caption, TEXT, LABEL, TEXT_LINES)):
            fonts.write(pen, (GAP, top + 4 + number * fonts.line_height(TEXT)), part, TEXT, INK)
        for column, (number, picture) in enumerate(row.pictures):
            left = LABEL + 2 * GAP + column * (CELL + GAP)
            sheet.paste(_framed(picture), (left, top))
            badge(pen, (left, top), number)
    return sheet


def _framed(picture: Image.Image) -> Image.Image:
    small = picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
    ImageDraw.Draw(small).rectangle((0, 0, CELL - 1, CELL - 1), outline=LINE)
    return small
