"""A contact sheet of samples: numbered pictures with their captions' beginnings. Blocking; use a thread."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

COLUMNS, CELL, LABEL, GAP = 4, 200, 40, 10  # px
PAPER, INK, BADGE = (250, 250, 252), (40, 40, 48), (36, 129, 204)


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
    pen.text((left + 8, top + 3), number, fill="white", font=ImageFont.load_default(18))
    font = ImageFont.load_default(15)
    for row, part in enumerate(_wrapped(pen, entry.caption, font)):
        pen.text((left, top + CELL + 2 + 18 * row), part, fill=INK, font=font)


def _wrapped(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[str]:
    """At most two lines as wide as a cell, the rest cut off."""
    lines = [""]
    for word in text[:80].split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= CELL or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(pen, part, font) for part in lines[:2]]


def _cut(pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while text and pen.textlength(text, font=font) > CELL:
        text = text[:-1]
    return text
