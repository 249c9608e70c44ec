"""Contact sheets to choose from: a row for each caption, every picture with its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from lora import fonts

ROWS = 10  # on one sheet
CELL, GAP, LABEL, TEXT = 176, 10, 190, 16  # px
TEXT_LINES = 8
PAPER, INK, BADGE, WHITE = (250, 250, 252), (40, 40, 48), (36, 129, 204), (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class NumberedRow:
    """One caption and its candidates as (number, picture)."""

    caption: str = field(repr=False)
    pictures: Sequence[tuple[int, Image.Image]]


def sheets(rows: Sequence[NumberedRow]) -> list[Image.Image]:
    """All rows on as many RGB sheets as they need."""
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
            _badge(pen, (left, top), number)
    return sheet


def _framed(picture: Image.Image) -> Image.Image:
    small = picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
    ImageDraw.Draw(small).rectangle((0, 0, CELL - 1, CELL - 1), outline=(214, 216, 222))
    return small


def _badge(pen: fonts.Pen, corner: tuple[int, int], number: int) -> None:
    width = 14 + int(fonts.width(str(number), TEXT))
    left, top = corner
    pen.rounded_rectangle((left, top, left + width, top + 24), 6, BADGE)
    fonts.write(pen, (left + width / 2, top + 12), str(number), TEXT, WHITE, "mm")
