"""Whether the checkpoint that the product chooses is at least as good as the last one.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.checkpoint_choice run FILE --device cuda --workers 6 --seconds 300
    python -m benchmarks.checkpoint_choice report FILE

Each run learns one unseen style for 600 steps with a checkpoint every 100, compares them as the bot does after a
training (``lora.evaluation.compare``, its own prompts, nothing of the style but the samples), and then judges every
checkpoint by what the product has not seen: the style's real drawings of 20 held-out concepts
(``benchmarks.learn_style``). With a ``--rate`` of several times the product's own, the training goes too far, which
is what the comparison is for.

A checkpoint's worth is its accuracy minus what is left of the way to the real style. The chosen one is at least
as good if its worth is no more than NOISE under the last one's. That was written down before the first run.
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
from benchmarks.learn_style import SAMPLES, checkpoints, drawn, mark, span
from benchmarks.pool import Bench, ResultRow
from lora.evaluation.checkpoint_choice import MAX_COPIES, Measurements, choose_checkpoint
from lora.evaluation.compare import Comparison, compare
from lora.evaluation.scorers import image_encoder
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.jobs import SavedCheckpoint, TrainSettings
from lora.training.plan import make_plan

# The three styles of whose own real drawings the judge names most, in turn, with new seeds. (It names 0.85, 0.70 and
# 0.40 of them; of the fourth style's, whose things lie in coloured discs, 0.10.)
STYLES = ("fxemoji", "flat color icons", "streamline stickies")
SEEDS = tuple(range(10, 15))
NOISE = 0.02
RATE = 1e-3  # the bundled base's own
MARKS = ("style", "prompt", "copied")  # what is kept of each drawing that the choice was made by


@dataclass(frozen=True, kw_only=True)
class Run(pool.Run):
    """One training, with this learning rate."""

    rate: float = RATE


def do(bench: Bench, run: Run) -> ResultRow:
    """Train, compare and judge once."""
    base, (work, referee) = bench.base, bench.work[run.style]
    asked = TrainSettings(
        steps=run.steps,
        checkpoint_steps=bench.args.checkpoint_steps,
        seed=run.seed,
        learning_rate=run.rate,
    )
    kept = [
        SavedCheckpoint(step=point.step, adapter=point.adapter)
        for point in checkpoints(base, work, make_plan(base, asked, samples=len(work.samples)))
    ]
    (comparison,) = (
        event
        for event in compare(
            base, work.samples, kept, image_encoder(device=str(base.device)), DiffusionPromptScorer(base)
        )
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
        "base_prompts": comparison.base_prompts.tolist(),
        "drawings": [{what: getattr(one, what).tolist() for what in MARKS} for one in comparison.marks],
        "marks": [asdict(one) for one in marks],
    }


def run(args: argparse.Namespace) -> None:
    """Work off all styles of one seed after the other."""
    began = time.monotonic()
    runs = [
        Run(style=style, seed=seed, steps=args.steps, rate=args.rate)
        for seed in args.seeds
        for style in args.styles
    ]
    pool.work_off(args, runs, do, _say, began=began)


def _say(row: ResultRow) -> str:
    gained = worth(row, row["chosen"]) - worth(row, row["marks"][-1]["step"])
    return (
        f"{row['style']}, seed {row['seed']}: chose step {row['chosen']}, worth {gained:+.3f} beside the last"
        f" one's, {row['seconds']} s"
    )


def _by_means(row: ResultRow, *, weight: float, slack: float, which: Callable[..., int]) -> int:
    """The step that a rule on a checkpoint's mean scores takes, of those that do not copy."""
    scores = row["scores"]
    good = [score for score in scores if score["memorised"] <= MAX_COPIES] or scores
    sums = {score["step"]: score["style"] + weight * score["prompt"] for score in good}
    return which(step for step, value in sums.items() if value >= max(sums.values()) - slack)


def by_rule(row: ResultRow) -> int:
    """The step that the product's rule of today takes."""
    marks = [
        Measurements(step=score["step"], diversity=None, **{what: np.array(drawn[what]) for what in MARKS})
        for score, drawn in zip(row["scores"], row["drawings"], strict=True)
    ]
    base_prompts = np.array(row["base_prompts"])
    return choose_checkpoint(marks, base_prompts, least=DiffusionPromptScorer.min_share, samples=SAMPLES).step


def _gains(rows: Sequence[ResultRow], rule: Callable[[ResultRow], int]) -> list[float]:
    return [worth(row, rule(row)) - worth(row, row["marks"][-1]["step"]) for row in rows]


def _counted(gains: list[float]) -> str:
    good = sum(gain >= -NOISE for gain in gains)
    return f"{good} of {len(gains)}; on average {sum(gains) / len(gains):+.3f}"


def worth(row: ResultRow, step: int) -> float:
    """Accuracy minus what is left of the way, of one checkpoint."""
    (found,) = (m for m in row["marks"] if m["step"] == step)
    return float(found["accuracy"] - found["left"])


def report(args: argparse.Namespace) -> None:
    """A line a run, and how often the choice was at least as good as the last checkpoint."""
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
    if kept := [row for row in rows if "drawings" in row]:
        print(f"By the rule of today, on the marks of the same drawings: {_counted(_gains(kept, by_rule))}")
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


def main() -> None:
    args = command_line().parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
