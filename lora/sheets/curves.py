"""A plot of the four scores of compared checkpoints over the training steps. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

from lora.fonts import Pen, line_height, write
from lora.jobs import Score
from lora.sheets.contact_sheet import FACT_SIZE, HEAD_SIZE, TITLE_SIZE
from lora.sheets.paint import CHOSEN, FAINT, INK, LINE, PAPER, to_png

HUES = {
    "style": (36, 104, 204),
    "prompt": (214, 104, 24),
    "diversity": (126, 72, 180),
    "memorised": (200, 40, 60),
}
WIDTH, HEIGHT = 1040, 520  # px
LEFT, TOP, RIGHT, BOTTOM = 70, 70, 840, 450  # px, of the plot's area
INSET = 20  # px from the area's left and right to the first and last step
LEGEND_LINE = 28  # px
MOST_STEP_LABELS = 12


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """From steps and values to pixels."""

    first: int
    last: int
    low: float
    high: float

    def x(self, step: int) -> float:
        share = (step - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        return LEFT + INSET + (RIGHT - LEFT - 2 * INSET) * share

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)


def curves(scores: Sequence[Score], base_prompt: float, chosen: int) -> bytes:
    """A PNG of the four scores over the steps. The chosen step is marked; the base's prompt score is a dashed line."""
    plot = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(plot)
    write(pen, (LEFT, 14), "Scores of each checkpoint's drawings", TITLE_SIZE, INK)
    points = {
        name: [(score.step, value) for score in scores if (value := getattr(score, name)) is not None]
        for name in HUES
    }  # diversity is None if each checkpoint has one drawing
    values = [value for row in points.values() for _, value in row]
    axes = _Axes(
        first=scores[0].step, last=scores[-1].step, low=min(0.0, *values), high=max(1.0, base_prompt, *values)
    )
    _draw_axes(pen, axes, [score.step for score in scores])
    pen.line((axes.x(chosen), TOP, axes.x(chosen), BOTTOM), fill=CHOSEN, width=2)
    write(pen, (axes.x(chosen), TOP - 6), "chosen", HEAD_SIZE, CHOSEN, "md")
    for at in range(LEFT, RIGHT, 12):
        pen.line((at, axes.y(base_prompt), at + 6, axes.y(base_prompt)), fill=HUES["prompt"], width=1)
    for name, hue in HUES.items():
        _draw_curve(pen, [(axes.x(step), axes.y(value)) for step, value in points[name]], hue)
    _draw_legend(pen, RIGHT + 20, TOP)
    return to_png(plot, optimize=True)


def _draw_axes(pen: Pen, axes: _Axes, steps: Sequence[int]) -> None:
    """Lines and labels of the values, and labels of the steps."""
    tick = 0.25 if axes.high - axes.low <= 2 else 0.5
    for number in range(int(axes.low / tick), int(axes.high / tick) + 1):
        at = axes.y(number * tick)
        pen.line((LEFT, at, RIGHT, at), fill=LINE)
        write(pen, (LEFT - 10, at), f"{number * tick:g}", FACT_SIZE, FAINT, "rm")
    every = -(-len(steps) // MOST_STEP_LABELS)
    for step in steps[::every]:
        write(pen, (axes.x(step), BOTTOM + 10), str(step), FACT_SIZE, INK, "ma")
    write(pen, ((LEFT + RIGHT) / 2, BOTTOM + 36), "training steps", HEAD_SIZE, FAINT, "ma")


def _draw_curve(pen: Pen, points: Sequence[tuple[float, float]], hue: tuple[int, int, int]) -> None:
    for one, other in pairwise(points):
        pen.line((*one, *other), fill=hue, width=3)
    for x, y in points:
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=hue)


def _draw_legend(pen: Pen, left: int, top: int) -> None:
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
