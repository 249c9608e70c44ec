"""How well the product's own defaults learn four styles that the base has never seen, from 28 drawings each.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.styles [--device cuda] [--style fxemoji]

Prints for each style and checkpoint how much of the way from the base's drawings to the style's real ones is gone, and
how often the right concept is found, beside the base's figure (``benchmarks.learn_style`` says how) and that of the
style's own drawings: where a style puts its things into a coloured disc, nothing that learns it is found well.
Results are appended to a file, and a style that is in it is not trained again. A sheet a style: real, base, adapter.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from benchmarks import flags
from benchmarks.features import look
from benchmarks.learn_style import CONCEPTS, StyleMeasurements, checkpoints, drawn, judge, mark, span, task
from benchmarks.sticker_nano import save_sheet
from lora.jobs import TrainSettings
from lora.models.base_model import Base, load
from lora.pretrain.drawings import UNSEEN, load_named
from lora.training.plan import make_plan

SEEDS = (0, 1)  # of drawing, two pictures a concept


def learn(base: Base, args: argparse.Namespace, style: str) -> list[dict[str, object]]:
    """Train on one style; a row for the base (step 0) and one for each checkpoint."""
    named = load_named(args.dir)
    work = task(named, style)
    referee = judge(args.dir, named, work.concepts, base.device)
    how = make_plan(base, TrainSettings(steps=args.steps), samples=len(work.samples))

    def draw(adapter: bytes | None) -> list[Image.Image]:
        return drawn(base, work, adapter, steps=args.drawing_steps, seeds=SEEDS, batch_size=args.batch)

    plain = draw(None)
    made = plain
    along = span(referee, work, plain, base.device)
    marks = [mark(referee, work, along, plain, 0, base.device)]
    for point in checkpoints(base, work, how):
        made = draw(point.adapter)
        marks.append(mark(referee, work, along, made, point.step, base.device))
        say(style, marks[-1], marks[0])
    save_sheet(
        [*work.real, *plain[:CONCEPTS], *made[:CONCEPTS]], args.sheets / f"{style}.png", columns=CONCEPTS
    )
    own = referee.accuracy(look(work.real, base.device).subject, work.concepts)
    return [{"base": base.hash, "style": style, **asdict(one), "own_accuracy": own} for one in marks]


def say(style: str, one: StyleMeasurements, base: StyleMeasurements) -> None:
    print(f"{style}, {one.step} steps: {one.way:.0%} of the way, right concept {one.accuracy:.0%} "
          f"(the base's {base.accuracy:.0%})", flush=True)  # fmt: skip


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("--style", choices=list(UNSEEN), action="append", help="default: all four")
    parser.add_argument("--steps", type=int, help="default: what the product would take")
    parser.add_argument("--drawing-steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("data/cache/styles.jsonl"))
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/styles"))
    args = parser.parse_args()
    base = load(args.base, args.cache, args.device)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    for style in args.style or UNSEEN:
        rows = [row for row in known if row["style"] == style and row["base"] == base.hash]
        if not rows:
            rows = learn(base, args, style)
            with args.out.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        last = rows[-1]
        base_accuracy, own = rows[0]["accuracy"], last["own_accuracy"]
        print(f"{style}: way {last['way']:.1%}, left {last['left']:.1%}, right concept {last['accuracy']:.1%} "
              f"(base {base_accuracy:.1%}, the style's own drawings {own:.1%})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
