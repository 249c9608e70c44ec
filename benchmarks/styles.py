"""Measures how well the product's defaults learn four styles that the base has never seen, from 28 drawings each.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.styles [--device cuda] [--style fxemoji]

Prints for each style and checkpoint ``way`` and ``accuracy`` of ``benchmarks.learn_style``, beside the accuracy of the
bare base and of the style's real drawings. (Of a style that puts everything into coloured discs even the real ones are
seldom recognised.) Results are appended to a file, and a style that is in it is not trained again. There is a sheet for
each style: samples, real drawings, two rows of the base's, two of the adapter's. ``benchmarks.told_apart`` asks about
these. Four GPUs take a style each:

    export CUDA_DEVICE_ORDER=PCI_BUS_ID; n=0
    for style in fxemoji "flat color icons" "streamline stickies" "streamline kameleon"; do
        CUDA_VISIBLE_DEVICES=$n python -m benchmarks.styles --device cuda --batch 20 --style "$style" & n=$((n + 1))
    done; wait
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from benchmarks import flags
from benchmarks.features import extract
from benchmarks.learn_style import (
    CONCEPTS,
    WHITE,
    StyleMeasurements,
    checkpoints,
    draw_concepts,
    make_judge,
    make_task,
    measure,
    style_line,
)
from benchmarks.sticker_nano import save_sheet
from benchmarks.told_apart import SIDE
from lora.data.dataset import on_flat_background
from lora.jobs import TrainSettings
from lora.models.base_model import Base
from lora.pretrain.drawings import UNSEEN, load_named
from lora.training.plan import make_plan

SEEDS = (0, 1)  # of drawing, two pictures a concept


def learn(base: Base, args: argparse.Namespace, style: str) -> list[dict[str, object]]:
    """Train on one style. Returns a row for the bare base (step 0) and one for each checkpoint."""
    named = load_named(args.dir)
    task = make_task(named, style)
    judge = make_judge(args.dir, named, task.concepts, base.device)
    plan = make_plan(base, TrainSettings(steps=args.steps), samples=len(task.samples))

    def draw(adapter: bytes | None) -> list[Image.Image]:
        return draw_concepts(
            base, task, adapter, steps=args.drawing_steps, seeds=SEEDS, batch_size=args.batch
        )

    bare = draw(None)
    made = bare
    line = style_line(judge, task, bare, base.device)
    measured = [measure(judge, task, line, bare, 0, base.device)]
    for point in checkpoints(base, task, plan):
        made = draw(point.adapter)
        measured.append(measure(judge, task, line, made, point.step, base.device))
        say(style, measured[-1], measured[0])
    samples = [on_flat_background(Image.open(io.BytesIO(s.picture)), SIDE, WHITE) for s in task.samples]
    rows = [*samples[:CONCEPTS], *task.real, *bare, *made]
    save_sheet(rows, args.sheets / f"{style}.png", columns=CONCEPTS, side=SIDE)
    own = judge.accuracy(extract(task.real, base.device).subject, task.concepts)
    return [{"base": base.hash, "style": style, **asdict(one), "own_accuracy": own} for one in measured]


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
    base = flags.base_of(args)
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
