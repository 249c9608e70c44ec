"""Measures what each choice in training a LoRA contributes: one factor at a time, on unseen styles, several seeds.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.training run FILE --device cuda --workers 6 --seconds 300
    python -m benchmarks.training report FILE

``run`` trains every variant of VARIANTS on every style and seed, in worker processes that share the GPUs, and measures
each checkpoint (``benchmarks.learn_style``). All variants of one (seed, style) come before the next one, so that an
interrupted measurement still has complete pairs; runs that are in FILE are not done again.
``report`` prints mean and standard deviation over styles and seeds, and the difference to the baseline (or to the
variant of ``--beside``), paired: same style, same seed, same checkpoint. It uses only runs of one base and one length,
and drawings of one way, an entry of DRAW_SETTINGS or of those before it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any

from PIL import Image

from benchmarks import pool
from benchmarks.learn_style import (
    CFG,
    StyleLine,
    StyleMeasurements,
    Task,
    checkpoints,
    draw_concepts,
    measure,
    style_line,
)
from benchmarks.pool import Bench, ResultRow
from lora.jobs import TrainSettings
from lora.training.plan import Plan, make_plan

BASELINE = "baseline"
# The bundled base's own plan, where it differs from the baseline: before there were style words, and today
EARLIER: dict[str, Any] = {"ema_decay": 0.98, "random_flip": False}
PRODUCT: dict[str, Any] = {**EARLIER, "style_words": "auto"}
WORDS = "words"  # no field of Plan: captions and prompts end with the words of STYLE_WORDS
# The words of lora.pretrain.looks that a person would say of a style.
STYLE_WORDS = {
    "fxemoji": "flat colours",
    "streamline stickies": "neon colours, thick black outline",
    "flat color icons": "flat fill",
    "streamline kameleon": "flat colours",
}
# name -> fields of Plan. The baseline is the product's defaults without the changes that this measurement found useful.
# Each other variant differs from the baseline in what its name says.
VARIANTS: dict[str, dict[str, Any]] = {
    BASELINE: {
        "snr_gamma": None,
        "ema_decay": None,
        "random_flip": True,
        "timestep_sampling": "stratified",
        "style_words": "none",
    },
    "min-SNR 5": {"snr_gamma": 5.0},
    "transparency dropped": {"composite": False},
    "caption dropout 0": {"caption_dropout": 0.0},
    "noise offset 0.1": {"noise_offset": 0.1},
    "rank 4": {"rank": 4, "alpha": 4},
    "attention only": {"lora_targets": "attention"},
    "no warm-up": {"warmup_steps": 0},
    "EMA 0.98": {"ema_decay": 0.98},
    "rate 2e-3": {"learning_rate": 2e-3},
    "rank 32": {"rank": 32, "alpha": 32},
    "convolutions too": {"lora_targets": "attention+ff+conv"},
    "alpha twice the rank": {"rank": 16, "alpha": 32},
    "rate 5e-4": {"learning_rate": 5e-4},
    "caption dropout 0.2": {"caption_dropout": 0.2},
    "warm-up 100": {"warmup_steps": 100},
    "no flip": {"random_flip": False},
    "cosine": {"schedule": "cosine"},
    "uniform noise levels": {"timestep_sampling": "uniform"},
    "EMA, no flip": EARLIER,
    "EMA, no flip, min-SNR 5": {**EARLIER, "snr_gamma": 5.0},
    "EMA, no flip, rate 5e-4": {**EARLIER, "learning_rate": 5e-4},
    "EMA, no flip, convolutions too": {**EARLIER, "lora_targets": "attention+ff+conv"},
    "no flip, cosine": {"random_flip": False, "schedule": "cosine"},
    "EMA, no flip, rate 2e-3": {**EARLIER, "learning_rate": 2e-3},
    "EMA, no flip, rank 32": {**EARLIER, "rank": 32, "alpha": 32},
    "EMA, no flip, alpha 32": {**EARLIER, "alpha": 32},
    "EMA, no flip, log-SNR -1": {**EARLIER, "timestep_sampling": "log-snr -1"},
    "EMA, no flip, log-SNR -2": {**EARLIER, "timestep_sampling": "log-snr -2"},
    "EMA, no flip, log-SNR -2, alpha 24": {**EARLIER, "timestep_sampling": "log-snr -2", "alpha": 24},
    "EMA, no flip, log-SNR -4": {**EARLIER, "timestep_sampling": "log-snr -4"},
    "EMA, no flip, log-SNR -6": {**EARLIER, "timestep_sampling": "log-snr -6"},
    "EMA, no flip, words": {**EARLIER, WORDS: True},
    "EMA, no flip, words, log-SNR -4": {**EARLIER, WORDS: True, "timestep_sampling": "log-snr -4"},
    "style words": PRODUCT,
    "style words, rank 32": {**PRODUCT, "rank": 32, "alpha": 32},
}
# How the checkpoints draw: CFG, fields of the base's Profile, and the adapter's strength. The first is what the product
# does. The line to a style always starts at the bare base's drawings with it.
DRAW_SETTINGS: dict[str, tuple[float, dict[str, Any], float]] = {
    "CFG 5, whole strength": (CFG, {}, 1.0),
    "CFG 4, whole strength": (4.0, {}, 1.0),
    "CFG 3, whole strength": (3.0, {}, 1.0),
    "CFG 4, 1.1 of the strength": (4.0, {}, 1.1),
    "CFG 5, 1.25 of the strength": (CFG, {}, 1.25),
    "CFG 5, 1.5 of the strength": (CFG, {}, 1.5),
    "CFG 3, 1.25 of the strength": (3.0, {}, 1.25),
    "CFG 3, whole strength, guided throughout": (3.0, {"guidance_stop": 1.0}, 1.0),
}
FIRST = next(iter(DRAW_SETTINGS))
# Older results have other names too. Those that do not say the strength, as "CFG 5", had half of it in the first fifth
# of the noise levels. The oldest lines have no name. They were drawn at CFG 5, as the product did then.
UNNAMED = "CFG 5"
STYLES = ("fxemoji", "streamline stickies", "flat color icons", "streamline kameleon")
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Run(pool.Run):
    """One training of one variant."""

    variant: str


def check_variants(names: Sequence[str]) -> None:
    """Raise SystemExit for an unknown variant, or for one with a field that Plan does not have."""
    known = {WORDS} | {field.name for field in fields(Plan)}
    for name in names:
        if name not in VARIANTS:
            raise SystemExit(f"{name!r}: the variants are {', '.join(VARIANTS)}")
        if missing := set(VARIANTS[name]) - known:
            raise SystemExit(
                f"{name!r}: lora.training.plan.Plan has no {', '.join(sorted(missing))}; leave it out with --not"
            )


def run_one(bench: Bench, run: Run) -> ResultRow:
    """Train once, and measure the bare base (step 0) and every checkpoint."""
    base, (task, judge) = bench.base, bench.tasks[run.style]
    # The base's own plan with the baseline's and the variant's values
    asked = TrainSettings(steps=run.steps, checkpoint_steps=bench.args.checkpoint_steps, seed=run.seed)
    chosen = {**VARIANTS[BASELINE], **VARIANTS[run.variant]}
    words = STYLE_WORDS[run.style] if chosen.pop(WORDS, False) else ""
    plan = replace(make_plan(base, asked, samples=len(task.samples)), **chosen)
    line = _line_to_style(bench, run.style, run.seed)
    measured = []
    for setting in bench.args.ways:
        bare = _bare_drawings(bench, run.style, run.seed, setting)
        measured.append(_mark(setting, measure(judge, task, line, bare, 0, base.device)))
    for point in checkpoints(base, with_words(task, words), plan):
        for setting in bench.args.ways:
            made = _drawings(bench, run.style, point.adapter, run.seed, setting, words)
            measured.append(_mark(setting, measure(judge, task, line, made, point.step, base.device)))
    return {"marks": measured}


def _mark(setting: str, found: StyleMeasurements) -> ResultRow:
    """What a line of results holds of one checkpoint and one way of drawing; more digits would be noise."""
    return {
        "drawn": setting,
        **asdict(replace(found, way=round(found.way, 6), left=round(found.left, 6))),
    }


@cache
def _bare_drawings(bench: Bench, style: str, seed: int, setting: str) -> list[Image.Image]:
    """The bare base's drawings; all variants share them."""
    return _drawings(bench, style, None, seed, setting)


@cache
def _line_to_style(bench: Bench, style: str, seed: int) -> StyleLine:
    """The line from the bare base's drawings with the first of DRAW_SETTINGS to the style's real ones."""
    task, judge = bench.tasks[style]
    return style_line(judge, task, _bare_drawings(bench, style, seed, FIRST), bench.base.device)


def with_words(task: Task, words: str) -> Task:
    """The task with these words at the end of each caption."""
    if not words:
        return task
    return replace(task, samples=tuple(replace(s, caption=f"{s.caption}, {words}") for s in task.samples))


def _drawings(
    bench: Bench, style: str, adapter: bytes | None, seed: int, setting: str, words: str = ""
) -> list[Image.Image]:
    args, base, (task, _) = bench.args, bench.base, bench.tasks[style]
    (cfg, fields, strength), usual = DRAW_SETTINGS[setting], base.profile
    base.profile = replace(usual, **fields)
    try:
        return draw_concepts(
            base,
            task,
            adapter,
            steps=args.drawing_steps,
            seeds=(seed,),
            batch_size=args.batch,
            cfg=cfg,
            strength=strength,
            words=words,
        )
    finally:
        base.profile = usual


def run(args: argparse.Namespace) -> None:
    """Do all runs: all variants of one (seed, style), then those of the next one."""
    began = time.monotonic()
    variants = [name for name in args.variants if name not in args.without]
    check_variants(variants)
    runs = [
        Run(style=style, seed=seed, steps=args.steps, variant=variant)
        for seed in args.seeds
        for style in args.styles
        for variant in variants
    ]
    pool.run_all(args, runs, run_one, _say, began=began)


def _say(row: ResultRow) -> str:
    last = next(one for one in reversed(row["marks"]) if one["drawn"] == row["marks"][0]["drawn"])
    return (
        f"{row['style']}, seed {row['seed']}, {row['variant']}: way {last['way']:.2f}, "
        f"accuracy {last['accuracy']:.2f}, {row['seconds']} s"
    )


def report(args: argparse.Namespace) -> None:
    """Print the table of all variants at each checkpoint, and a table by style."""
    found = pool.of_one_base(pool.read(args.file), args.base_hash)
    length = args.steps or found[-1]["steps"]
    marks = [(row, one) for row in found if row["steps"] == length for one in row["marks"]]
    rows = {
        (row["variant"], row["style"], row["seed"], one["step"]): one
        for row, one in marks
        if one.get("drawn", UNNAMED) == args.way
    }
    if not rows:
        known = dict.fromkeys(one.get("drawn", UNNAMED) for _, one in marks)
        said = "; ".join(f'--way "{way}"' for way in known) or "none"
        raise SystemExit(f"there are no trainings of {length} steps drawn at {args.way}; there are: {said}")
    steps, beside = sorted({key[3] for key in rows} - {0}), args.beside
    print(f"| variant | steps | runs | way | left | accuracy | way - {beside} | accuracy - {beside} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for variant in VARIANTS:
        for step in steps:
            at = {key[1:]: one for key, one in rows.items() if key[0] == variant and key[3] == step}
            if at:
                print(_table_row(variant, step, at, rows, beside))
    bases = {key[1:3]: one["accuracy"] for key, one in rows.items() if key[3] == 0}
    print("\n| style | variant | steps | way | left | accuracy |\n| --- | --- | --- | --- | --- | --- |")
    shown = args.at or steps[-1]
    for style, variant in dict.fromkeys((key[1], key[0]) for key in rows):
        there = [one for key, one in rows.items() if key[:2] == (variant, style) and key[3] == shown]
        if there:
            means = (f"{statistics.mean(one[w] for one in there):.2f}" for w in ("way", "left", "accuracy"))
            print(f"| {style} | {variant} | {shown} | {' | '.join(means)} |")
    own = {style: [one for key, one in bases.items() if key[0] == style] for style, _ in bases}
    each = ", ".join(f"{style} {statistics.mean(values):.2f}" for style, values in own.items())
    print(f"\nThe base's own accuracy on the same concepts: {statistics.mean(bases.values()):.3f} ({each})")


def _table_row(
    variant: str, step: int, found: dict[tuple[Any, ...], Any], rows: dict[tuple[Any, ...], Any], beside: str
) -> str:
    cells = [_spread([row[what] for row in found.values()]) for what in ("way", "left", "accuracy")]
    for what in ("way", "accuracy"):
        pairs = [(row, rows.get((beside, *key))) for key, row in found.items()]
        gained = [row[what] - usual[what] for row, usual in pairs if usual is not None]
        cells.append(_spread(gained, signed=True) if gained and variant != beside else "")
    return f"| {variant} | {step} | {len(found)} | " + " | ".join(cells) + " |"


def _spread(values: Sequence[float], signed: bool = False) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{'+' if signed else ''}.3f} ± {spread:.3f}"


def command_line() -> argparse.ArgumentParser:
    parser, go, show = pool.parser(__doc__, run, report, styles=STYLES, seeds=SEEDS)
    go.add_argument("--variants", nargs="+", default=list(VARIANTS))
    go.add_argument("--not", dest="without", nargs="+", default=[], help="variants to leave out")
    go.add_argument(
        "--ways", nargs="+", choices=list(DRAW_SETTINGS), default=[FIRST], help="how checkpoints draw"
    )
    show.add_argument("--way", default=FIRST, help="the drawings that are compared")
    show.add_argument(
        "--beside", choices=list(VARIANTS), default=BASELINE, help="what the others are compared with"
    )
    show.add_argument("--at", type=int, help="the checkpoint in the table by style; default: the last")
    show.add_argument("--steps", type=int, help="of which trainings; default: as long as the newest line's")
    return parser


if __name__ == "__main__":
    pool.main(command_line())
