"""The contact sheet of a sweep: a column for each CFG value, each sticker on a light and on a dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from lora.sheets.contact_sheet import Line, contact_sheet

GROUNDS = ((236, 240, 244), (23, 33, 43))  # of chats in a light and in a dark theme


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """The drawings of one seed, one for each CFG value. Transparent ones are shown on both grounds."""

    name: str
    pictures: tuple[Image.Image, ...] = field(repr=False)


def sweep_sheet(title: str, heads: Sequence[str], rows: Sequence[SweepRow]) -> bytes:
    """A PNG."""
    lines = []
    for row in rows:
        see_through = any(picture.mode == "RGBA" for picture in row.pictures)
        for number, ground in enumerate(GROUNDS if see_through else GROUNDS[:1]):
            pictures = tuple(_on_ground(picture, ground) for picture in row.pictures)
            lines.append(Line(name="" if number else row.name, pictures=pictures))
    return contact_sheet(title, heads, lines)


def _on_ground(picture: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """The picture in the middle of a square."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), ground)
    at = ((side - picture.width) // 2, (side - picture.height) // 2)
    square.paste(picture, at, picture if picture.mode == "RGBA" else None)
    return square
