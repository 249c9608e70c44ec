"""What each choice in training a LoRA is worth: one factor at a time, on unseen styles, several seeds.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.training run FILE --device cuda --workers 6 --seconds 300
    python -m benchmarks.training report FILE

``run`` trains every variant of VARIANTS on every style and seed, in worker processes that share the GPUs there are,
and judges each checkpoint as ``benchmarks.learn_style`` says. It works off (seed, style) after (seed, style), all
variants of each, so that a run that is cut off still compares like with like; what FILE holds is not done again.
``report`` prints mean and standard deviation over styles and seeds, and the difference to the baseline (or to the
variant of ``--beside``), paired: same style, same seed, same checkpoint. It compares the runs of one base alone, and
of those only trainings of one length and the drawings that were made in one way of WAYS.
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
from benchmarks.learn_style import CFG, Line, checkpoints, drawn, mark, span
from benchmarks.pool import Bench, ResultRow
from lora.jobs import TrainSettings
from lora.training.plan import Plan, make_plan

BASELINE = "baseline"
PRODUCT = {
    "ema_decay": 0.98,
    "random_flip": False,
}  # what the bundled base's own plan has beside the baseline
# name -> fields of Plan. The baseline is the product's defaults without what was found to help when the others, which
# differ from it in one thing, were compared with it.
VARIANTS: dict[str, dict[str, Any]] = {
    BASELINE: {"snr_gamma": None, "ema_decay": None, "random_flip": True},
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
    "EMA, no flip": PRODUCT,
    "EMA, no flip, min-SNR 5": {**PRODUCT, "snr_gamma": 5.0},
    "EMA, no flip, rate 5e-4": {**PRODUCT, "learning_rate": 5e-4},
    "EMA, no flip, convolutions too": {**PRODUCT, "lora_targets": "attention+ff+conv"},
    "no flip, cosine": {"random_flip": False, "schedule": "cosine"},
}
# How the checkpoints draw: CFG, and fields of the base's Profile. The way to a style begins at the bare base's drawings
# in the first of them in any case.
WAYS: dict[str, tuple[float, dict[str, Any]]] = {
    "CFG 5": (CFG, {}),
    "CFG 4": (4.0, {}),
    "CFG 3": (3.0, {}),
    "CFG 2": (2.0, {}),
    "CFG 3, whole strength": (3.0, {"shaping": 0.0}),
    "CFG 3, guided throughout": (3.0, {"guidance_stop": 1.0}),
}
FIRST = next(iter(WAYS))
STYLES = ("fxemoji", "streamline stickies", "flat color icons", "streamline kameleon")
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Run(pool.Run):
    """One training of one variant."""

    variant: str


def check_variants(names: Sequence[str]) -> None:
    """Refuse, before anything runs, a variant unknown or with a field that Plan does not have."""
    known = {field.name for field in fields(Plan)}
    for name in names:
        if name not in VARIANTS:
            raise SystemExit(f"{name!r}: the variants are {', '.join(VARIANTS)}")
        if missing := set(VARIANTS[name]) - known:
            raise SystemExit(
                f"{name!r}: lora.training.plan.Plan has no {', '.join(sorted(missing))}; leave it out with --not"
            )


def do(bench: Bench, run: Run) -> ResultRow:
    """Train once: ``marks`` of the bare base (step 0) and of every checkpoint."""
    base, (work, referee) = bench.base, bench.work[run.style]
    # The product's own plan with the variant's values; batch, rate and the rest are the base's own.
    asked = TrainSettings(steps=run.steps, checkpoint_steps=bench.args.checkpoint_steps, seed=run.seed)
    how = replace(
        make_plan(base, asked, samples=len(work.samples)), **{**VARIANTS[BASELINE], **VARIANTS[run.variant]}
    )
    along = _along(bench, run.style, run.seed)
    marks = []
    for drawing in bench.args.ways:
        plain = _plain(bench, run.style, run.seed, drawing)
        marks.append({"drawn": drawing, **asdict(mark(referee, work, along, plain, 0, base.device))})
    for point in checkpoints(base, work, how):
        for drawing in bench.args.ways:
            made = _drawings(bench, run.style, point.adapter, run.seed, drawing)
            found = mark(referee, work, along, made, point.step, base.device)
            marks.append({"drawn": drawing, **asdict(found)})
    return {"marks": marks}


@cache
def _plain(bench: Bench, style: str, seed: int, drawing: str) -> list[Image.Image]:
    """The bare base's drawings, the same for all variants."""
    return _drawings(bench, style, None, seed, drawing)


@cache
def _along(bench: Bench, style: str, seed: int) -> Line:
    """The way from those to the style, which begins at the same drawings whatever way of drawing is judged."""
    work, referee = bench.work[style]
    return span(referee, work, _plain(bench, style, seed, FIRST), bench.base.device)


def _drawings(bench: Bench, style: str, adapter: bytes | None, seed: int, drawing: str) -> list[Image.Image]:
    args, base, (work, _) = bench.args, bench.base, bench.work[style]
    (cfg, fields), usual = WAYS[drawing], base.profile
    base.profile = replace(usual, **fields)
    try:
        return drawn(
            base, work, adapter, steps=args.drawing_steps, seeds=(seed,), batch_size=args.batch, cfg=cfg
        )
    finally:
        base.profile = usual


def run(args: argparse.Namespace) -> None:
    """Work off all variants of one (seed, style) after the other."""
    began = time.monotonic()
    variants = [name for name in args.variants if name not in args.without]
    check_variants(variants)
    runs = [
        Run(style=style, seed=seed, steps=args.steps, variant=variant)
        for seed in args.seeds
        for style in args.styles
        for variant in variants
    ]
    pool.work_off(args, runs, do, _say, began=began)


def _say(row: ResultRow) -> str:
    last = next(one for one in reversed(row["marks"]) if one["drawn"] == row["marks"][0]["drawn"])
    return (
        f"{row['style']}, seed {row['seed']}, {row['variant']}: way {last['way']:.2f}, "
        f"accuracy {last['accuracy']:.2f}, {row['seconds']} s"
    )


def report(args: argparse.Namespace) -> None:
    """The table of all variants at each checkpoint."""
    found = pool.of_one_base(pool.read(args.file), args.base_hash)
    length = args.steps or found[-1]["steps"]
    rows = {
        (row["variant"], row["style"], row["seed"], one["step"]): one
        for row in found
        if row["steps"] == length
        for one in row["marks"]
        if one.get("drawn", FIRST) == args.way
    }
    if not rows:
        raise SystemExit(f"there are no trainings of {length} steps drawn at {args.way}")
    steps, beside = sorted({key[3] for key in rows} - {0}), args.beside
    print(f"| variant | steps | runs | way | left | accuracy | way - {beside} | accuracy - {beside} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for variant in VARIANTS:
        for step in steps:
            at = {key[1:]: one for key, one in rows.items() if key[0] == variant and key[3] == step}
            if at:
                print(_line(variant, step, at, rows, beside))
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


def _line(
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
    go.add_argument("--ways", nargs="+", choices=list(WAYS), default=[FIRST], help="how checkpoints draw")
    show.add_argument("--way", choices=list(WAYS), default=FIRST, help="the drawings that are compared")
    show.add_argument(
        "--beside", choices=list(VARIANTS), default=BASELINE, help="what the others are compared with"
    )
    show.add_argument("--at", type=int, help="the checkpoint in the table by style; default: the last")
    show.add_argument("--steps", type=int, help="of which trainings; default: as long as the newest line's")
    return parser


def main() -> None:
    args = command_line().parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
