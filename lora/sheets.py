"""Contact sheets and curves of compared checkpoints, to be looked at by people. No torch here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from lora.jobs import Score

PAPER, INK, FAINT, CHOSEN = (250, 250, 252), (36, 38, 46), (120, 124, 136), (22, 140, 88)
HUES = {
    "style": (36, 104, 204),
    "prompt": (214, 104, 24),
    "diversity": (126, 72, 180),
    "memorised": (200, 40, 60),
}
GAP, EDGE, LABEL = 8, 20, 132  # px
CELL = (72, 200)  # the smallest and the largest picture, px
HEAD_LINES = 3

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Pen = ImageDraw.ImageDraw


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a sheet: its name, small facts below the name, and its pictures from left to right."""

    name: str
    facts: tuple[str, ...] = ()
    pictures: tuple[Image.Image, ...] = field(repr=False)
    chosen: bool = False


def contact_sheet(title: str, heads: Sequence[str], lines: Sequence[Line], *, width: int = 1280) -> bytes:
    """A PNG of at most ``width`` px: a row for each line, a column for each head, the chosen row marked."""
    columns = len(heads)
    room = (width - 2 * EDGE - LABEL - GAP * columns) // columns
    cell = max(CELL[0], min(CELL[1], room))
    across = 2 * EDGE + LABEL + columns * (cell + GAP)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    tallest = max(len(_wrapped(pen, text, _font(15), cell)) for text in heads) if any(heads) else 0
    head = min(tallest, HEAD_LINES) * 18 + 8
    top = EDGE + 40
    sheet = Image.new("RGB", (across, top + head + len(lines) * (cell + GAP) + EDGE), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((EDGE, EDGE), _cut(pen, title, _font(22), across - 2 * EDGE), fill=INK, font=_font(22))
    for column, text in enumerate(heads):
        left = EDGE + LABEL + column * (cell + GAP)
        _head(pen, text, left, top, cell, head)
    for row, line in enumerate(lines):
        _line(sheet, pen, line, top + head + row * (cell + GAP), cell)
    return _png(sheet)


def _head(pen: Pen, text: str, left: int, top: int, cell: int, height: int) -> None:
    """A column's head, in the middle over it and resting on the pictures."""
    lines = _wrapped(pen, text, _font(15), cell)[:HEAD_LINES]
    for number, part in enumerate(lines):
        at = (left + cell / 2, top + height - 8 - 18 * (len(lines) - number))
        pen.text(at, part, fill=INK, font=_font(15), anchor="ma")


def _line(sheet: Image.Image, pen: Pen, line: Line, top: int, cell: int) -> None:
    if line.chosen:
        box = (EDGE - 10, top - GAP // 2, sheet.width - EDGE + 10, top + cell + GAP // 2)
        pen.rounded_rectangle(box, 10, fill=(226, 244, 234), outline=CHOSEN, width=3)
    colour = CHOSEN if line.chosen else INK
    texts = [(line.name, _font(18), colour)]
    texts += [("chosen", _font(15), CHOSEN)] if line.chosen else []
    texts += [(fact, _font(13), FAINT) for fact in line.facts]
    at = top + (cell - 19 * len(texts)) / 2
    for text, font, ink in texts:
        pen.text((EDGE + 2, at), _cut(pen, text, font, LABEL - 10), fill=ink, font=font)
        at += 21 if font is texts[0][1] else 18
    for column, picture in enumerate(line.pictures):
        small = picture.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(small, (EDGE + LABEL + column * (cell + GAP), top))


def curves(scores: Sequence[Score], base_prompt: float, chosen: int) -> bytes:
    """A PNG of the four scores over the steps; the chosen step is marked, the base's prompt fidelity dashed."""
    size, left, top, right, bottom = (1040, 520), 70, 70, 840, 450
    plot = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(plot)
    pen.text((left, 14), "Scores of each checkpoint's drawings", fill=INK, font=_font(22))
    values = {
        name: [(score.step, value) for score in scores if (value := getattr(score, name)) is not None]
        for name in HUES
    }  # one drawing alone has no diversity
    low = min(0.0, *(value for row in values.values() for _, value in row))
    high = max(1.0, base_prompt, *(value for row in values.values() for _, value in row))
    first, last = scores[0].step, scores[-1].step

    def x(step: int) -> float:
        return left + 20 + (right - left - 40) * ((step - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    tick = 0.25 if high - low <= 2 else 0.5
    for number in range(int(low / tick), int(high / tick) + 1):
        at = y(number * tick)
        pen.line((left, at, right, at), fill=(226, 228, 234))
        pen.text((left - 10, at), f"{number * tick:g}", fill=FAINT, font=_font(14), anchor="rm")
    pen.line((x(chosen), top, x(chosen), bottom), fill=CHOSEN, width=2)
    pen.text((x(chosen), top - 6), "chosen", fill=CHOSEN, font=_font(15), anchor="md")
    every = -(-len(scores) // 12)
    for score in scores[::every]:
        pen.text((x(score.step), bottom + 10), str(score.step), fill=INK, font=_font(14), anchor="ma")
    pen.text(((left + right) / 2, bottom + 36), "training steps", fill=FAINT, font=_font(15), anchor="ma")
    for at in range(left, right, 12):
        pen.line((at, y(base_prompt), at + 6, y(base_prompt)), fill=HUES["prompt"], width=1)
    for name, hue in HUES.items():
        points = [(x(step), y(value)) for step, value in values[name]]
        for one, other in pairwise(points):
            pen.line((*one, *other), fill=hue, width=3)
        for across, down in points:
            pen.ellipse((across - 5, down - 5, across + 5, down + 5), fill=hue)
    _legend(pen, right + 20, top)
    return _png(plot)


def _legend(pen: Pen, left: int, top: int) -> None:
    words = {"style": "style", "prompt": "prompt", "diversity": "diversity", "memorised": "memorised"}
    for row, (name, hue) in enumerate(HUES.items()):
        at = top + 12 + row * 28
        pen.line((left, at, left + 24, at), fill=hue, width=3)
        pen.ellipse((left + 7, at - 5, left + 17, at + 5), fill=hue)
        pen.text((left + 34, at), words[name], fill=INK, font=_font(16), anchor="lm")
    at = top + 12 + len(HUES) * 28
    for dash in (0, 10, 20):
        pen.line((left + dash, at, left + dash + 5, at), fill=HUES["prompt"])
    pen.text((left + 34, at), "the bare base's", fill=INK, font=_font(16), anchor="lm")
    pen.text((left + 34, at + 20), "prompt score", fill=INK, font=_font(16), anchor="lm")


def _font(size: int) -> Font:
    return ImageFont.load_default(size)  # Pillow's own Aileron


def _wrapped(pen: Pen, text: str, font: Font, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(pen, line, font, width) for line in lines]


def _cut(pen: Pen, text: str, font: Font, width: float) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(f"{text}…", font=font) > width:
        text = text[:-1]
    return f"{text}…"


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
