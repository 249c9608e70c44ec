"""Contact sheets for people to look at: a table of pictures with names and facts. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from lora.fonts import Pen, cut, line_height, wrapped, write
from lora.sheets.paint import CHOSEN, CHOSEN_PAPER, FAINT, INK, PAPER, to_png

GAP, EDGE, LABEL, TITLE = 8, 20, 132, 40  # px
TITLE_SIZE, NAME_SIZE, HEAD_SIZE, FACT_SIZE = 22, 18, 15, 13  # px, of the letters
CELL = (72, 200)  # the smallest and the largest picture, px
HEAD_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a sheet: its name, small facts below the name, and its pictures from left to right."""

    name: str
    facts: tuple[str, ...] = ()
    pictures: tuple[Image.Image, ...] = field(repr=False)
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Where everything on a contact sheet is, in pixels. It depends on the heads and the width only."""

    columns: int
    cell: int  # side of a picture
    head: int  # height of the columns' heads

    @property
    def across(self) -> int:
        return 2 * EDGE + LABEL + self.columns * (self.cell + GAP)

    def down(self, rows: int) -> int:
        return self.top(rows) + EDGE

    def left(self, column: int) -> int:
        return EDGE + LABEL + column * (self.cell + GAP)

    def top(self, row: int) -> int:
        return EDGE + TITLE + self.head + row * (self.cell + GAP)


def _grid(heads: Sequence[str], width: int) -> _Grid:
    room = (width - 2 * EDGE - LABEL - GAP * len(heads)) // len(heads)
    cell = max(CELL[0], min(CELL[1], room))
    tallest = max(len(wrapped(text, HEAD_SIZE, cell, HEAD_LINES)) for text in heads) if any(heads) else 0
    return _Grid(columns=len(heads), cell=cell, head=tallest * line_height(HEAD_SIZE) + GAP)


def contact_sheet(title: str, heads: Sequence[str], lines: Sequence[Line], *, width: int = 1280) -> bytes:
    """A PNG of at most ``width`` px: a row for each line, a column for each head, the chosen row marked."""
    grid = _grid(heads, width)
    sheet = Image.new("RGB", (grid.across, grid.down(len(lines))), PAPER)
    pen = ImageDraw.Draw(sheet)
    write(pen, (EDGE, EDGE), cut(title, TITLE_SIZE, grid.across - 2 * EDGE), TITLE_SIZE, INK)
    for column, text in enumerate(heads):
        _head(pen, grid, text, column)
    for row, line in enumerate(lines):
        _line(sheet, pen, grid, line, row)
    return to_png(sheet, optimize=True)


def _box(grid: _Grid, row: int, column: int) -> tuple[int, int, int, int]:
    left, top = grid.left(column), grid.top(row)
    return left, top, left + grid.cell, top + grid.cell


def _head(pen: Pen, grid: _Grid, text: str, column: int) -> None:
    """A column's head: centred, and directly above the pictures."""
    lines = wrapped(text, HEAD_SIZE, grid.cell, HEAD_LINES)
    top = grid.top(0) - GAP - len(lines) * line_height(HEAD_SIZE)
    for number, part in enumerate(lines):
        at = (grid.left(column) + grid.cell / 2, top + number * line_height(HEAD_SIZE))
        write(pen, at, part, HEAD_SIZE, INK, "ma")


def _line(sheet: Image.Image, pen: Pen, grid: _Grid, line: Line, row: int) -> None:
    top = grid.top(row)
    if line.chosen:
        box = (EDGE - 10, top - GAP // 2, sheet.width - EDGE + 10, top + grid.cell + GAP // 2)
        pen.rounded_rectangle(box, 10, fill=CHOSEN_PAPER, outline=CHOSEN, width=3)
    texts = [(line.name, NAME_SIZE, CHOSEN if line.chosen else INK)]
    texts += [("chosen", HEAD_SIZE, CHOSEN)] if line.chosen else []
    texts += [(fact, FACT_SIZE, FAINT) for fact in line.facts]
    at = top + (grid.cell - sum(line_height(size) for _, size, _ in texts)) / 2
    for text, size, ink in texts:
        write(pen, (EDGE + 2, at), cut(text, size, LABEL - 10), size, ink)
        at += line_height(size)
    for column, picture in enumerate(line.pictures):
        small = picture.convert("RGB").resize((grid.cell, grid.cell), Image.Resampling.LANCZOS)
        sheet.paste(small, _box(grid, row, column))
