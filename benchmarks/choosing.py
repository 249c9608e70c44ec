"""Whether the checkpoint that the product chooses is at least as good as the last one.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.choosing run FILE --device cuda --workers 14
    python -m benchmarks.choosing report FILE

Each run learns one unseen style for 600 steps with a checkpoint every 100, compares them as the bot does after a
training (``lora.choose``, its own prompts, nothing of the style but the samples), and then judges every checkpoint by
what the product has not seen: the style's real drawings of 20 held-out concepts (``benchmarks.learn``).

A checkpoint's worth is its accuracy minus what is left of the way to the real style. The chosen one is at least
as good if its worth is no more than NOISE under the last one's. That was written down before the first run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.learn import Judge, Task, checkpoints, drawn, judge, mark, span, task
from lora.bases import Base, load
from lora.choose import Comparison, compare
from lora.jobs import Kept, TrainSettings
from lora.plan import plan
from lora.pretrain.drawings import load_named
from lora.scorers import eye
from lora.scorers.classifier import DiffusionReader

# Ten runs: the styles whose own real drawings the judge can name, in turn, with new seeds.
RUNS = [(style, seed) for seed in range(10, 15) for style in ("fxemoji", "flat color icons")]
STEPS, EVERY, DRAWING_STEPS, BATCH = 600, 100, 12, 20
NOISE = 0.02

_given: tuple[argparse.Namespace, dict[str, tuple[Task, Judge]], Any]  # what a pool leaves for its tasks


def _start(args: argparse.Namespace, work: dict[str, tuple[Task, Judge]], numbers: Any) -> None:
    global _given
    _given = args, work, numbers.get()


@cache
def _base() -> Base:
    args, _, number = _given
    torch.set_num_threads(1 if args.device == "cuda" else torch.get_num_threads())
    device = f"cuda:{number % torch.cuda.device_count()}" if args.device == "cuda" else args.device
    return load(args.base, args.cache, device)


def _do(run: tuple[str, int]) -> dict[str, Any]:
    """Train, compare and judge once."""
    style, seed = run
    base, (work, referee) = _base(), _given[1][style]
    asked = TrainSettings(steps=_given[0].steps, checkpoint_steps=EVERY, seed=seed)
    kept = [
        Kept(step=point.step, adapter=point.adapter)
        for point in checkpoints(base, work, plan(base, asked, samples=len(work.samples)))
    ]
    comparison = next(
        event
        for event in compare(base, work.samples, kept, eye(), DiffusionReader(base))
        if isinstance(event, Comparison)
    )

    def made(adapter: bytes | None) -> list[Any]:
        return drawn(base, work, adapter, steps=DRAWING_STEPS, seeds=(seed, seed + 100), batch_size=BATCH)

    plain = made(None)
    along = span(referee, work, plain, base.device)
    marks = [mark(referee, work, along, made(one.adapter), one.step, base.device) for one in kept]
    return {
        "style": style,
        "seed": seed,
        "chosen": comparison.choice.step,
        "scores": [vars(score) | {} for score in comparison.scores],
        "marks": [{"step": m.step, "way": m.way, "left": m.left, "accuracy": m.accuracy} for m in marks],
    }


def run(args: argparse.Namespace) -> None:
    """Work off all runs in processes that share the GPUs; a line of FILE for each."""
    began = time.monotonic()
    named = load_named(args.dir)
    work = {}
    for style in {style for style, _ in RUNS}:
        learned = task(named, style)
        device = torch.device("cuda:0" if args.device == "cuda" else args.device)
        work[style] = learned, judge(args.dir, named, learned.concepts, device)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(args.workers):
        numbers.put(number)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    with context.Pool(args.workers, _start, (args, work, numbers)) as pool:
        for row in pool.imap_unordered(_do, RUNS[: args.runs]):
            with args.file.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(
                f"{time.monotonic() - began:.0f} s: {row['style']}, seed {row['seed']}: {row['chosen']}",
                flush=True,
            )


def worth(row: dict[str, Any], step: int) -> float:
    """Accuracy minus what is left of the way, of one checkpoint."""
    (found,) = (m for m in row["marks"] if m["step"] == step)
    return float(found["accuracy"] - found["left"])


def report(args: argparse.Namespace) -> None:
    """A line a run, and how often the choice was at least as good as the last checkpoint."""
    rows = [json.loads(line) for line in args.file.read_text().splitlines()]
    print("| style | seed | chosen | worth of each checkpoint | chosen - last | best - last |")
    print("| --- | --- | --- | --- | --- | --- |")
    gained = []
    for row in sorted(rows, key=lambda row: (row["style"], row["seed"])):
        steps = [m["step"] for m in row["marks"]]
        values = {step: worth(row, step) for step in steps}
        gained.append(values[row["chosen"]] - values[steps[-1]])
        best = max(values.values()) - values[steps[-1]]
        shown = ", ".join(f"{step}: {value:.2f}" for step, value in values.items())
        print(
            f"| {row['style']} | {row['seed']} | {row['chosen']} | {shown} | {gained[-1]:+.3f} | {best:+.3f} |"
        )
    good = sum(gain >= -NOISE for gain in gained)
    print(
        f"\nAt least as good as the last one: {good} of {len(gained)}; on average {sum(gained) / len(gained):+.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    go = verbs.add_parser("run")
    go.set_defaults(verb=run)
    go.add_argument("file", type=Path)
    go.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    go.add_argument("--cache", type=Path, default=Path("data/cache"))
    go.add_argument("--base", default="sticker-nano")
    go.add_argument("--device", default="cpu")
    go.add_argument("--workers", type=int, default=1)
    go.add_argument("--runs", type=int, default=len(RUNS), help="the first ones only")
    go.add_argument("--steps", type=int, default=STEPS)
    show = verbs.add_parser("report")
    show.set_defaults(verb=report)
    show.add_argument("file", type=Path)
    args = parser.parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
