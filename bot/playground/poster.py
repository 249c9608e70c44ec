"""The picture that a demo ends with: the samples on top, below them the stickers, a row for each prompt."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, EDGE, GAP = 1500, 60, 20  # px
SAMPLES_PER_ROW = 12
PAPER_TOP, PAPER_BOTTOM = (250, 246, 240), (232, 238, 247)
INK, SOFT, CARD = (38, 42, 52), (120, 126, 140), (255, 255, 255)
TINTS = ((255, 236, 214), (222, 240, 224), (223, 233, 252), (248, 224, 238))


@dataclass(frozen=True, kw_only=True)
class Row:
    """The stickers of one prompt, each with the words below it."""

    prompt: str
    stickers: Sequence[tuple[bytes, str]] = field(repr=False)


def poster(*, title: str, subtitle: str, samples: Sequence[bytes], rows: Sequence[Row]) -> Image.Image:
    """The whole picture, RGB, 1,500 px wide."""
    lines = -(-len(samples) // SAMPLES_PER_ROW)
    thumb = (WIDTH - 2 * EDGE - 2 * GAP) // SAMPLES_PER_ROW
    columns = max(len(row.stickers) for row in rows)
    cell = (WIDTH - 2 * EDGE - (columns - 1) * GAP) // columns
    top = 190 + lines * thumb + 2 * GAP + 50
    height = top + len(rows) * (cell + 64 + GAP) + EDGE - GAP
    page = _gradient(WIDTH, height)
    pen = ImageDraw.Draw(page)
    pen.text((EDGE, 52), title, INK, ImageFont.load_default(52))
    pen.text((EDGE, 122), subtitle, SOFT, ImageFont.load_default(25))
    _card(page, (EDGE, 180, WIDTH - EDGE, 180 + lines * thumb + 2 * GAP), CARD)
    for number, sample in enumerate(samples):
        left = EDGE + GAP + number % SAMPLES_PER_ROW * thumb
        _place(page, sample, (left, 180 + GAP + number // SAMPLES_PER_ROW * thumb, thumb), margin=8)
    for number, row in enumerate(rows):
        _row(page, row, top + number * (cell + 64 + GAP), cell, TINTS[number % len(TINTS)])
    return page


def _row(page: Image.Image, row: Row, top: int, cell: int, tint: tuple[int, int, int]) -> None:
    pen = ImageDraw.Draw(page)
    for number, (sticker, words) in enumerate(row.stickers):
        left = EDGE + number * (cell + GAP)
        _card(page, (left, top, left + cell, top + cell + 64), tint)
        _place(page, sticker, (left, top, cell), margin=34)
        pen.text((left + 26, top + cell - 6), row.prompt, INK, ImageFont.load_default(25))
        pen.text((left + 26, top + cell + 26), words, SOFT, ImageFont.load_default(21))


def _gradient(width: int, height: int) -> Image.Image:
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(
        Image.new("RGB", (width, height), PAPER_BOTTOM), Image.new("RGB", (width, height), PAPER_TOP), mask
    )


def _card(page: Image.Image, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    """A rounded background with a soft shadow. Drawn four times as large, for smooth corners."""
    width, height = box[2] - box[0], box[3] - box[1]
    large = Image.new("L", (width * 4, height * 4))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), 112, fill=255)
    shape = large.resize((width, height), Image.Resampling.BOX)
    shadow = Image.new("L", (width + 60, height + 60))
    shadow.paste(shape.point(lambda value: value // 8), (30, 30))
    shadow = shadow.filter(ImageFilter.GaussianBlur(10))
    page.paste(Image.new("RGB", shadow.size, (60, 50, 40)), (box[0] - 30, box[1] - 24), shadow)
    page.paste(Image.new("RGB", shape.size, colour), box[:2], shape)


def _place(page: Image.Image, picture: bytes, square: tuple[int, int, int], *, margin: int) -> None:
    """A transparent picture in the middle of a square (left, top, side), with a soft shadow."""
    left, top, side = square
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGBA")
    room = side - 2 * margin
    scale = room / max(image.size)
    image = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
    )
    at = (left + (side - image.width) // 2, top + (side - image.height) // 2)
    lift = max(2, side // 90)
    shadow = image.getchannel("A").filter(ImageFilter.GaussianBlur(lift * 1.5))
    page.paste(
        Image.new("RGB", image.size, (60, 50, 40)),
        (at[0], at[1] + lift),
        shadow.point(lambda value: value // 4),
    )
    page.paste(image, at, image)
