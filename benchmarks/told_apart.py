"""Whether somebody who is shown five samples of a style can tell an adapter's drawing from the bare base's.

    python -m benchmarks.styles                          # draws; a sheet for each style
    python -m benchmarks.told_apart show                 # three sheets of eight pairs for each style
    python -m benchmarks.told_apart score fxemoji ABBA…  # a letter for each of the 24 pairs: the adapter's drawing

A pair is two drawings of the same prompt and seed, the base's and the adapter's, in random order. Which pairs are
shown, and in which order, depends only on the style's name and was fixed before the first drawing was seen. ``score``
says how many letters are right. Look at the sheets before you call it: it also names the pairs that were mistaken.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from benchmarks.learn_style import CONCEPTS
from lora.pretrain.drawings import UNSEEN

SIDE = 256  # pixels of a drawing on the sheet of benchmarks.styles
ROWS = ("samples", "real", "base", "base", "adapter", "adapter")  # of that sheet; CONCEPTS columns
PAIRS, SHEETS, EXAMPLES = 24, 3, 5
SHOWN, GAP, COLUMNS = 176, 16, 4  # pixels of a drawing, pixels between pairs, pairs beside each other


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same concept and seed, drawn by the base and by the adapter."""

    concept: int  # the column
    seed: int  # 0 or 1
    adapter: str  # where the adapter's drawing is: A or B


def pairs(style: str) -> list[Pair]:
    """The 24 pairs of a style, in the order in which they are shown."""
    rng = Random(f"told apart {style}")
    chosen = rng.sample([(concept, seed) for concept in range(CONCEPTS) for seed in (0, 1)], PAIRS)
    return [Pair(concept=concept, seed=seed, adapter=rng.choice("AB")) for concept, seed in chosen]


def question(sheet: Image.Image, style: str, number: int) -> Image.Image:
    """One of the three pictures of a style: five samples, and eight numbered pairs."""
    each = PAIRS // SHEETS
    lines = -(-each // COLUMNS)
    width = COLUMNS * (2 * SHOWN + GAP) + GAP
    page = Image.new("RGB", (width, SHOWN + 2 * GAP + lines * (SHOWN + 2 * GAP)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    samples = Random(f"samples {style} {number}").sample(range(CONCEPTS), EXAMPLES)
    draw.text((GAP, 0), "samples", "black", font)
    for place, column in enumerate(samples):
        page.paste(_cut(sheet, 0, column), (GAP + place * (SHOWN + GAP), GAP))
    for place, pair in enumerate(pairs(style)[number * each : (number + 1) * each]):
        left = GAP + place % COLUMNS * (2 * SHOWN + GAP)
        top = SHOWN + 3 * GAP + place // COLUMNS * (SHOWN + 2 * GAP)
        rows = (4 + pair.seed, 2 + pair.seed) if pair.adapter == "A" else (2 + pair.seed, 4 + pair.seed)
        for side, row in enumerate(rows):
            page.paste(_cut(sheet, row, pair.concept), (left + side * SHOWN, top))
            draw.text(
                (left + side * SHOWN, top - GAP), f"{number * each + place + 1}{'AB'[side]}", "black", font
            )
    return page


def _cut(sheet: Image.Image, row: int, column: int) -> Image.Image:
    box = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
    return sheet.crop(box).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)


def show(args: argparse.Namespace) -> None:
    for style in args.style or UNSEEN:
        with Image.open(args.sheets / f"{style}.png") as file:
            sheet = file.convert("RGB")
        if sheet.size != (CONCEPTS * SIDE, len(ROWS) * SIDE):
            raise SystemExit(f"{style}.png is no sheet of benchmarks.styles: it is {sheet.size}")
        for number in range(SHEETS):
            path = args.sheets / f"told apart {style} {number + 1}.png"
            question(sheet, style, number).save(path)
            print(path)


def score(args: argparse.Namespace) -> None:
    given, wanted = args.letters.upper(), "".join(pair.adapter for pair in pairs(args.of))
    if len(given) != PAIRS or set(given) - set("AB"):
        raise SystemExit(f"{PAIRS} letters, each A or B, are wanted; {args.letters!r} has {len(given)}")
    wrong = [i + 1 for i in range(PAIRS) if given[i] != wanted[i]]
    print(
        f"{args.of}: {PAIRS - len(wrong)} of {PAIRS} told apart ({1 - len(wrong) / PAIRS:.1%}); wrong: {wrong}"
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    shown = verbs.add_parser("show")
    shown.set_defaults(verb=show)
    shown.add_argument("--style", choices=list(UNSEEN), action="append", help="default: all four")
    shown.add_argument("--sheets", type=Path, default=Path("data/cache/styles"))
    scored = verbs.add_parser("score")
    scored.set_defaults(verb=score)
    scored.add_argument("of", choices=list(UNSEEN))
    scored.add_argument("letters", help="such as ABBA")
    args = parser.parse_args(argv)
    args.verb(args)


if __name__ == "__main__":
    main()
