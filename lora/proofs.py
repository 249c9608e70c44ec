"""Contact sheets to choose from: a row for each caption, every picture with its number."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

ROWS = 10  # on one sheet
CELL, GAP, LABEL = 176, 10, 190  # px
PAPER, INK, BADGE = (250, 250, 252), (40, 40, 48), (36, 129, 204)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One caption and its candidates as (number, picture)."""

    caption: str = field(repr=False)
    pictures: Sequence[tuple[int, Image.Image]]


def sheets(rows: Sequence[Row]) -> list[Image.Image]:
    """All rows on as many RGB sheets as they need."""
    columns = max(len(row.pictures) for row in rows)
    return [_sheet(rows[start : start + ROWS], columns) for start in range(0, len(rows), ROWS)]


def _sheet(rows: Sequence[Row], columns: int) -> Image.Image:
    size = (LABEL + 2 * GAP + columns * (CELL + GAP), GAP + len(rows) * (CELL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, row in enumerate(rows):
        top = GAP + line * (CELL + GAP)
        text = "\n".join(textwrap.wrap(row.caption, 20, max_lines=6, placeholder=" …"))
        draw.multiline_text((GAP, top + 4), text, INK, font=ImageFont.load_default(16), spacing=6)
        for column, (number, picture) in enumerate(row.pictures):
            left = LABEL + 2 * GAP + column * (CELL + GAP)
            sheet.paste(_framed(picture), (left, top))
            _badge(draw, (left, top), number)
    return sheet


def _framed(picture: Image.Image) -> Image.Image:
    small = picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
    ImageDraw.Draw(small).rectangle((0, 0, CELL - 1, CELL - 1), outline=(214, 216, 222))
    return small


def _badge(draw: ImageDraw.ImageDraw, corner: tuple[int, int], number: int) -> None:
    font = ImageFont.load_default(16)
    width = 14 + int(draw.textlength(str(number), font=font))
    left, top = corner
    draw.rounded_rectangle((left, top, left + width, top + 24), 6, BADGE)
    draw.text((left + width / 2, top + 12), str(number), "white", font=font, anchor="mm")
