"""Two plots of drawing for several people, in docs/: measured by ``benchmarks.speed plots``, drawn from its results.

python3 -m benchmarks.speed plots     measures
python -m benchmarks.speed_plots      draws docs/speed-people.png and docs/speed-adapters.png
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from benchmarks import speed_setup as setup
from benchmarks.speed_setup import PEOPLE, Setting
from lora.fonts import write
from lora.sheets.paint import FAINT, INK, LINE, PAPER, to_png

ROW = "people and adapters"
COUNTS = (1, 2, 4, 8, 16)
WIDTH, HEIGHT = 1040, 460  # px
LEFT, TOP, RIGHT, BOTTOM = 80, 70, 1010, 370  # px, of the plot's area
INKS = ((36, 104, 204), (214, 104, 24))

Curve = Sequence[tuple[int, float]]


def measure(setting: Setting) -> None:
    """Seconds of a batch by its people, each with an adapter; the rate of sixteen pictures by their adapters."""
    from benchmarks.speed_drawing import own_base

    base, files = setup.load_base(setting), setup.adapters(setting)
    own, pipe = own_base(setting, base, list(COUNTS), []), setup.pipeline(setting, base)

    def ours(given: list[bytes | None], number: int) -> None:
        setup.pictures(own, setup.items(given, 100 * number), setting.steps)

    def theirs(people: int, number: int) -> None:
        for person in range(people):
            pipe.unload_lora_weights()
            setup.put_on(setting, pipe, person)
            setup.drawn_by(setting, pipe, [f"zorvex fox {number}"], number)

    rounds = min(setting.rounds, 3)
    people = {str(count): partial(ours, [files[n] for n in range(count)]) for count in COUNTS}
    adapters = {str(count): partial(ours, [files[n % count] for n in range(PEOPLE)]) for count in COUNTS} | {
        "0": partial(ours, [None] * PEOPLE)
    }
    swapped = {str(count): partial(theirs, count) for count in COUNTS[:3]}
    seconds = setting.interleaved(people, rounds=rounds, warm=1)
    rates = setting.interleaved(adapters, rounds=rounds, warm=1)
    peers = setting.interleaved(swapped, rounds=1, warm=1)
    setting.report(
        ROW,
        {
            "seconds by people": seconds,
            "diffusers one after the other, seconds by people": peers,
            "img/s by adapters": {count: PEOPLE / took for count, took in rates.items()},
        },
    )


def plot(curves: Mapping[str, Curve], *, title: str, below: str, unit: str) -> bytes:
    """A PNG of curves over small whole numbers, evenly spaced."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(sheet)
    numbers = sorted({number for curve in curves.values() for number, _ in curve})
    top = 1.1 * max(value for curve in curves.values() for _, value in curve)

    def at(number: int, value: float) -> tuple[float, float]:
        share = numbers.index(number) / max(1, len(numbers) - 1)
        return LEFT + 30 + (RIGHT - LEFT - 60) * share, BOTTOM - (BOTTOM - TOP) * value / top

    write(pen, (LEFT, 14), title, 22, INK)
    for part in range(5):
        y = at(numbers[0], top * part / 4)[1]
        pen.line((LEFT, y, RIGHT, y), fill=LINE)
        write(pen, (LEFT - 8, y), f"{top * part / 4:.1f} {unit}", 14, FAINT, "rm")
    for number in numbers:
        write(pen, (at(number, 0)[0], BOTTOM + 8), str(number), 14, INK, "ma")
    write(pen, ((LEFT + RIGHT) / 2, BOTTOM + 30), below, 16, FAINT, "ma")
    for place, (name, curve) in enumerate(curves.items()):
        ink = INKS[place]
        pen.line([at(*point) for point in curve], fill=ink, width=3)
        for point in curve:
            x, y = at(*point)
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=ink)
        write(pen, (LEFT + 420 * place, HEIGHT - 30), f"— {name}", 16, ink)
    return to_png(sheet, optimize=True)


def plots(found: Mapping[str, Mapping[str, float]]) -> dict[str, bytes]:
    """The plots of a measurement by their files' names."""

    def curve(name: str) -> Curve:
        return sorted((int(number), value) for number, value in found[name].items())

    people = {
        "this project, all in one batch": curve("seconds by people"),
        "diffusers, one after the other": curve("diffusers one after the other, seconds by people"),
    }
    adapters = {"sixteen pictures in one batch": curve("img/s by adapters")}
    return {
        "speed-people.png": plot(
            people,
            title="Seconds until everybody has a picture, each with an adapter of their own",
            below="people in a batch",
            unit="s",
        ),
        "speed-adapters.png": plot(
            adapters, title="Pictures a second of a batch of sixteen", below="different adapters", unit="/s"
        ),
    }


def main() -> None:
    lines = Path("benchmarks/results/speed.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    newest = [row for row in rows if row["row"] == ROW][-1]
    for name, data in plots(newest["found"]).items():
        (Path("docs") / name).write_bytes(data)


if __name__ == "__main__":
    main()
