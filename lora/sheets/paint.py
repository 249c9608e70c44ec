"""What all sheets share: colours, the badge of a number, and PNG files. No torch here."""

from __future__ import annotations

import io

from PIL import Image

from lora import fonts

PAPER, INK, FAINT, LINE = (250, 250, 252), (36, 38, 46), (120, 124, 136), (226, 228, 234)
CHOSEN, CHOSEN_PAPER = (22, 140, 88), (226, 244, 234)
BADGE, ON_BADGE = (36, 129, 204), (255, 255, 255)
BADGE_HEIGHT, BADGE_TEXT = 24, 16  # px


def badge(pen: fonts.Pen, corner: tuple[int, int], number: int) -> None:
    """A number on a coloured badge; ``corner`` is its top left one."""
    text, (left, top) = str(number), corner
    width = 14 + int(fonts.width(text, BADGE_TEXT))
    pen.rounded_rectangle((left, top, left + width, top + BADGE_HEIGHT), 6, BADGE)
    fonts.write(pen, (left + width / 2, top + BADGE_HEIGHT / 2), text, BADGE_TEXT, ON_BADGE, "mm")


def to_png(image: Image.Image, *, optimize: bool = False) -> bytes:
    """A PNG file. ``optimize`` makes it smaller and takes longer."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=optimize)
    return out.getvalue()
