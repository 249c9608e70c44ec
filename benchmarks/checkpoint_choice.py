"""Measures whether the checkpoint that the product chooses is at least as good as the last one.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.checkpoint_choice run FILE --device cuda --workers 6 --seconds 300
    python -m benchmarks.checkpoint_choice report FILE

Each run learns one unseen style for 600 steps with a checkpoint every 100. It compares them as the bot does after a
training (``lora.evaluation.compare``), which knows only the samples. Then it measures every checkpoint with what the
product has not seen: the style's real drawings of 20 held-out concepts (``benchmarks.learn_style``). With a ``--rate``
several times the product's own, the last checkpoints are over-trained; the comparison is there to find that.

    worth of a checkpoint = accuracy - left        (both of benchmarks.learn_style)

The chosen checkpoint is at least as good as the last one if its worth is at least the last one's minus NOISE. That was
written down before the first run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from benchmarks import pool
from benchmarks.learn_style import SAMPLES, checkpoints, draw_concepts, measure, style_line
from benchmarks.pool import Bench, ResultRow
from lora.evaluation.checkpoint_choice import MAX_COPIES, Measurements, choose_checkpoint
from lora.evaluation.compare import Comparison, compare
from lora.evaluation.scorers import image_encoder
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.jobs import SavedCheckpoint, TrainSettings
from lora.training.plan import make_plan

# The three styles whose real drawings the judge recognises best: a share of 0.85, 0.70 and 0.40. (Of the fourth style,
# which puts everything into coloured discs, it recognises 0.10.)
STYLES = ("fxemoji", "flat color icons", "streamline stickies")
SEEDS = tuple(range(10, 15))
NOISE = 0.02
RATE = 1e-3  # the bundled base's own
MEASURED = ("style", "prompt", "copied")  # stored of each drawing, so that another rule can be tried on it


@dataclass(frozen=True, kw_only=True)
class Run(pool.Run):
    """One training, with this learning rate."""

    rate: float = RATE


def run_one(bench: Bench, run: Run) -> ResultRow:
    """Train, compare the checkpoints, and measure each of them."""
    base, (task, judge) = bench.base, bench.tasks[run.style]
    asked = TrainSettings(
        steps=run.steps,
        checkpoint_steps=bench.args.checkpoint_steps,
        seed=run.seed,
        learning_rate=run.rate,
    )
    saved = [
        SavedCheckpoint(step=point.step, adapter=point.adapter)
        for point in checkpoints(base, task, make_plan(base, asked, samples=len(task.samples)))
    ]
    (comparison,) = (
        event
        for event in compare(
            base, task.samples, saved, image_encoder(device=str(base.device)), DiffusionPromptScorer(base)
        )
        if isinstance(event, Comparison)
    )

    def made(adapter: bytes | None) -> list[Any]:
        seeds = (run.seed, run.seed + 100)
        steps, batch = bench.args.drawing_steps, bench.args.batch
        return draw_concepts(base, task, adapter, steps=steps, seeds=seeds, batch_size=batch)

    line = style_line(judge, task, made(None), base.device)
    measured = [measure(judge, task, line, made(one.adapter), one.step, base.device) for one in saved]
    return {
        "chosen": comparison.choice.step,
        "scores": [asdict(score) for score in comparison.scores],
        "base_prompts": comparison.base_prompts.tolist(),
        "drawings": [
            {what: getattr(one, what).tolist() for what in MEASURED} for one in comparison.measurements
        ],
        "marks": [asdict(one) for one in measured],
    }


def run(args: argparse.Namespace) -> None:
    """Do all runs: seed by seed, and all styles of each."""
    began = time.monotonic()
    runs = [
        Run(style=style, seed=seed, steps=args.steps, rate=args.rate)
        for seed in args.seeds
        for style in args.styles
    ]
    pool.run_all(args, runs, run_one, _say, began=began)


def _say(row: ResultRow) -> str:
    gained = worth(row, row["chosen"]) - worth(row, row["marks"][-1]["step"])
    return (
        f"{row['style']}, seed {row['seed']}: chose step {row['chosen']}, worth {gained:+.3f} beside the last"
        f" one's, {row['seconds']} s"
    )


def _by_means(row: ResultRow, *, weight: float, slack: float, which: Callable[..., int]) -> int:
    """The step that another rule chooses, of the checkpoints that do not copy.

    It maximises mean(style) + weight * mean(prompt), and ``which`` of those within ``slack`` of the maximum is chosen.
    """
    scores = row["scores"]
    good = [score for score in scores if score["memorised"] <= MAX_COPIES] or scores
    sums = {score["step"]: score["style"] + weight * score["prompt"] for score in good}
    return which(step for step, value in sums.items() if value >= max(sums.values()) - slack)


def by_rule(row: ResultRow) -> int:
    """The step that the product's present rule chooses."""
    measurements = [
        Measurements(step=score["step"], diversity=None, **{what: np.array(drawn[what]) for what in MEASURED})
        for score, drawn in zip(row["scores"], row["drawings"], strict=True)
    ]
    base_prompts = np.array(row["base_prompts"])
    return choose_checkpoint(
        measurements, base_prompts, min_share=DiffusionPromptScorer.min_share, samples=SAMPLES
    ).step


def _gains(rows: Sequence[ResultRow], rule: Callable[[ResultRow], int]) -> list[float]:
    return [worth(row, rule(row)) - worth(row, row["marks"][-1]["step"]) for row in rows]


def _counted(gains: list[float]) -> str:
    good = sum(gain >= -NOISE for gain in gains)
    return f"{good} of {len(gains)}; on average {sum(gains) / len(gains):+.3f}"


def worth(row: ResultRow, step: int) -> float:
    """``accuracy - left`` of one checkpoint."""
    (found,) = (m for m in row["marks"] if m["step"] == step)
    return float(found["accuracy"] - found["left"])


def report(args: argparse.Namespace) -> None:
    """Print a line for each run, and how often the choice was at least as good as the last checkpoint."""
    rows = [
        row
        for row in pool.of_one_base(pool.read(args.file), args.base_hash)
        if (row["rate"], row["steps"]) == (args.rate, args.steps)
        and row["seed"] in (args.seeds or [row["seed"]])
    ]
    if not rows:
        raise SystemExit(f"there are no such trainings of {args.steps} steps at a rate of {args.rate:g}")
    print("| style | seed | chosen | worth of each checkpoint | chosen - last | best - last |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in sorted(rows, key=lambda row: (row["style"], row["seed"])):
        steps = [m["step"] for m in row["marks"]]
        values = {step: worth(row, step) for step in steps}
        gained, best = (value - values[steps[-1]] for value in (values[row["chosen"]], max(values.values())))
        shown = ", ".join(f"{step}: {value:.2f}" for step, value in values.items())
        print(f"| {row['style']} | {row['seed']} | {row['chosen']} | {shown} | {gained:+.3f} | {best:+.3f} |")
    print(f"\nAt least as good as the last one: {_counted(_gains(rows, lambda row: int(row['chosen'])))}")
    if stored := [row for row in rows if "drawings" in row]:
        print(f"By the rule of today, on the marks of the same drawings: {_counted(_gains(stored, by_rule))}")
    print(
        "\nOther rules, on the mean scores: of those whose sum is no more than so much under the best one's\n"
    )
    print("| what is added up | under the best | the earliest | the last |\n| --- | --- | --- | --- |")
    for weight, slack in product((0.0, 0.5, 1.0, 2.0), (0.0, 0.06, 0.15)):
        counted = [
            _counted(_gains(rows, partial(_by_means, weight=weight, slack=slack, which=which)))
            for which in (min, max)
        ]
        print(f"| style + {weight:g} x prompt | {slack:g} | {counted[0]} | {counted[1]} |")


def command_line() -> argparse.ArgumentParser:
    parser, go, show = pool.parser(__doc__, run, report, styles=STYLES, seeds=SEEDS)
    go.add_argument("--rate", type=float, default=RATE)
    show.add_argument("--rate", type=float, default=RATE, help="of which trainings")
    show.add_argument("--steps", type=int, default=600, help="of which trainings")
    show.add_argument("--seeds", nargs="+", type=int, help="only these")
    return parser


if __name__ == "__main__":
    pool.main(command_line())
