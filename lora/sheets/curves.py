"""A plot of the four scores of compared checkpoints over the training steps. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw

from lora.fonts import Pen, line_height, write
from lora.jobs import Score
from lora.sheets.contact_sheet import CHOSEN, FACT_SIZE, FAINT, HEAD_SIZE, INK, PAPER, TITLE_SIZE, to_png

HUES = {
    "style": (36, 104, 204),
    "prompt": (214, 104, 24),
    "diversity": (126, 72, 180),
    "memorised": (200, 40, 60),
}


LEGEND_LINE = 28  # px


def curves(scores: Sequence[Score], base_prompt: float, chosen: int) -> bytes:
    """A PNG of the four scores over the steps; the chosen step is marked, the base's prompt fidelity dashed."""
    size, left, top, right, bottom = (1040, 520), 70, 70, 840, 450
    plot = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(plot)
    write(pen, (left, 14), "Scores of each checkpoint's drawings", TITLE_SIZE, INK)
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
        write(pen, (left - 10, at), f"{number * tick:g}", FACT_SIZE, FAINT, "rm")
    pen.line((x(chosen), top, x(chosen), bottom), fill=CHOSEN, width=2)
    write(pen, (x(chosen), top - 6), "chosen", HEAD_SIZE, CHOSEN, "md")
    every = -(-len(scores) // 12)
    for score in scores[::every]:
        write(pen, (x(score.step), bottom + 10), str(score.step), FACT_SIZE, INK, "ma")
    write(pen, ((left + right) / 2, bottom + 36), "training steps", HEAD_SIZE, FAINT, "ma")
    for at in range(left, right, 12):
        pen.line((at, y(base_prompt), at + 6, y(base_prompt)), fill=HUES["prompt"], width=1)
    for name, hue in HUES.items():
        points = [(x(step), y(value)) for step, value in values[name]]
        for one, other in pairwise(points):
            pen.line((*one, *other), fill=hue, width=3)
        for across, down in points:
            pen.ellipse((across - 5, down - 5, across + 5, down + 5), fill=hue)
    _legend(pen, right + 20, top)
    return to_png(plot)


def _legend(pen: Pen, left: int, top: int) -> None:
    for row, (name, hue) in enumerate(HUES.items()):
        at = top + 12 + row * LEGEND_LINE
        pen.line((left, at, left + 24, at), fill=hue, width=3)
        pen.ellipse((left + 7, at - 5, left + 17, at + 5), fill=hue)
        write(pen, (left + 34, at), name, HEAD_SIZE, INK, "lm")
    at = top + 12 + len(HUES) * LEGEND_LINE
    for dash in (0, 10, 20):
        pen.line((left + dash, at, left + dash + 5, at), fill=HUES["prompt"])
    for number, text in enumerate(("the bare base's", "prompt score")):
        write(pen, (left + 34, at + number * line_height(HEAD_SIZE)), text, HEAD_SIZE, INK, "lm")
