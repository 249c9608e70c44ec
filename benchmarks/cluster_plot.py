"""A plot of waits over the hours of a day, for ``cluster_simulation.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from lora.fonts import write
from lora.sheets.paint import FAINT, INK, LINE, PAPER, to_png

WIDTH, HEIGHT = 1040, 460  # px
LEFT, TOP, RIGHT, BOTTOM = 70, 70, 1010, 400  # px, of the plot's area
INKS = ((36, 104, 204), (214, 104, 24))


def plot(curves: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> bytes:
    """A PNG of curves of (hour, seconds)."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(sheet)
    points = [point for curve in curves.values() for point in curve]
    first, last = min(hour for hour, _ in points), max(hour for hour, _ in points)
    top = max(1.0, *(seconds for _, seconds in points)) * 1.1

    def at(hour: float, seconds: float) -> tuple[float, float]:
        x = LEFT + (RIGHT - LEFT) * (hour - first) / max(1e-9, last - first)
        return x, BOTTOM - (BOTTOM - TOP) * seconds / top

    write(pen, (LEFT, 14), title, 22, INK)
    for part in range(5):
        seconds = top * part / 4
        pen.line((LEFT, at(first, seconds)[1], RIGHT, at(first, seconds)[1]), fill=LINE)
        write(pen, (LEFT - 8, at(first, seconds)[1]), f"{seconds:.1f} s", 14, FAINT, "rm")
    for hour in range(int(first), int(last) + 1, max(1, int(last - first) // 7)):
        if hour >= first:
            write(pen, (at(hour, 0)[0], BOTTOM + 8), f"{hour}:00", 14, FAINT, "ma")
    for number, (name, curve) in enumerate(curves.items()):
        ink = INKS[number % len(INKS)]
        pen.line([at(*point) for point in curve], fill=ink, width=2)
        write(pen, (LEFT + 160 * number, HEIGHT - 32), f"— {name}", 16, ink)
    return to_png(sheet)
