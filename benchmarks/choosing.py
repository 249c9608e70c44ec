"""Whether the checkpoint that the product chooses is at least as good as the last one.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.choosing run FILE --device cuda --workers 6 --seconds 300
    python -m benchmarks.choosing report FILE

Each run learns one unseen style for 600 steps with a checkpoint every 100, compares them as the bot does after a
training (``lora.choose``, its own prompts, nothing of the style but the samples), and then judges every checkpoint by
what the product has not seen: the style's real drawings of 20 held-out concepts (``benchmarks.learn``).

A checkpoint's worth is its accuracy minus what is left of the way to the real style. The chosen one is at least
as good if its worth is no more than NOISE under the last one's. That was written down before the first run.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import Any

from benchmarks import pool
from benchmarks.learn import checkpoints, drawn, mark, span
from benchmarks.pool import Bench, Row, Run
from lora.choose import Comparison, compare
from lora.jobs import Kept, TrainSettings
from lora.plan import plan
from lora.rule import MOST_COPIES
from lora.scorers import eye
from lora.scorers.classifier import DiffusionReader

# The three styles of whose own real drawings the judge names most, in turn, with new seeds. (It names 0.85, 0.70 and
# 0.40 of them; of the fourth style's, whose things lie in coloured discs, 0.10.)
STYLES = ("fxemoji", "flat color icons", "streamline stickies")
SEEDS = tuple(range(10, 15))
NOISE = 0.02


def do(bench: Bench, run: Run) -> Row:
    """Train, compare and judge once."""
    base, (work, referee) = bench.base, bench.work[run.style]
    asked = TrainSettings(steps=run.steps, checkpoint_steps=bench.args.checkpoint_steps, seed=run.seed)
    kept = [
        Kept(step=point.step, adapter=point.adapter)
        for point in checkpoints(base, work, plan(base, asked, samples=len(work.samples)))
    ]
    (comparison,) = (
        event
        for event in compare(base, work.samples, kept, eye(device=str(base.device)), DiffusionReader(base))
        if isinstance(event, Comparison)
    )

    def made(adapter: bytes | None) -> list[Any]:
        seeds = (run.seed, run.seed + 100)
        steps, batch = bench.args.drawing_steps, bench.args.batch
        return drawn(base, work, adapter, steps=steps, seeds=seeds, batch_size=batch)

    along = span(referee, work, made(None), base.device)
    marks = [mark(referee, work, along, made(one.adapter), one.step, base.device) for one in kept]
    return {
        "chosen": comparison.choice.step,
        "scores": [asdict(score) for score in comparison.scores],
        "marks": [asdict(one) for one in marks],
    }


def run(args: argparse.Namespace) -> None:
    """Work off all styles of one seed after the other."""
    began = time.monotonic()
    runs = [Run(style=style, seed=seed, steps=args.steps) for seed in args.seeds for style in args.styles]
    pool.work_off(args, runs, do, _say, began=began)


def _say(row: Row) -> str:
    gained = worth(row, row["chosen"]) - worth(row, row["marks"][-1]["step"])
    return (
        f"{row['style']}, seed {row['seed']}: chose step {row['chosen']}, worth {gained:+.3f} beside the last"
        f" one's, {row['seconds']} s"
    )


def _earliest(scores: list[dict[str, Any]], weight: float, slack: float) -> int:
    """The step that a rule on a checkpoint's mean scores takes, of those that do not copy."""
    good = [score for score in scores if score["memorised"] <= MOST_COPIES] or scores
    sums = {score["step"]: score["style"] + weight * score["prompt"] for score in good}
    return int(min(step for step, value in sums.items() if value >= max(sums.values()) - slack))


def _counted(gains: list[float]) -> str:
    good = sum(gain >= -NOISE for gain in gains)
    return f"{good} of {len(gains)}; on average {sum(gains) / len(gains):+.3f}"


def worth(row: Row, step: int) -> float:
    """Accuracy minus what is left of the way, of one checkpoint."""
    (found,) = (m for m in row["marks"] if m["step"] == step)
    return float(found["accuracy"] - found["left"])


def report(args: argparse.Namespace) -> None:
    """A line a run, and how often the choice was at least as good as the last checkpoint."""
    rows = pool.of_one_base(pool.read(args.file), args.base_hash)
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
    print(f"\nAt least as good as the last one: {_counted(gained)}")
    print(
        "\nOther rules, on the same scores (the earliest whose sum is no more than so much under the best one's):\n"
    )
    print("| what is added up | under the best | at least as good as the last one |\n| --- | --- | --- |")
    for weight in (0.0, 0.5, 1.0, 2.0):
        for slack in (0.0, 0.06):
            picked = [(row, _earliest(row["scores"], weight, slack)) for row in rows]
            gains = [worth(row, step) - worth(row, row["marks"][-1]["step"]) for row, step in picked]
            print(f"| style + {weight:g} x prompt | {slack:g} | {_counted(gains)} |")


def command_line() -> argparse.ArgumentParser:
    return pool.parser(__doc__, run, report, styles=STYLES, seeds=SEEDS)[0]


def main() -> None:
    args = command_line().parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
