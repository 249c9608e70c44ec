"""What each choice in training a LoRA is worth: one factor at a time, on unseen styles, several seeds.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.training run FILE --device cuda --workers 14 --seconds 300
    python -m benchmarks.training report FILE

``run`` trains every variant of VARIANTS on every style and seed, in worker processes that share the GPUs there are,
and judges each checkpoint as ``benchmarks.learn`` says. It works off (seed, style) after (seed, style), all variants
of each, so that a run that is cut off still compares like with like; lines of FILE are results, and what is
in it is not done again. ``report`` prints mean and standard deviation over styles and seeds, and the
difference to the default, paired: same style, same seed, same checkpoint.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.learn import Judge, Line, Task, checkpoints, drawn, judge, mark, span, task
from lora.bases import Base, load
from lora.jobs import TrainSettings
from lora.plan import Plan, plan
from lora.pretrain.drawings import UNSEEN, Drawing, load_named

DEFAULT = "default"
# name -> what it does otherwise than the default; keys are fields of Plan
VARIANTS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "transparency dropped": {"composite": False},
    "caption dropout 0": {"caption_dropout": 0.0},
    "caption dropout 0.2": {"caption_dropout": 0.2},
    "no min-SNR": {"snr_gamma": None},
    "noise offset 0.05": {"noise_offset": 0.05},
    "noise offset 0.1": {"noise_offset": 0.1},
    "rank 4": {"rank": 4, "alpha": 4},
    "rank 8": {"rank": 8, "alpha": 8},
    "rank 32": {"rank": 32, "alpha": 32},
    "alpha twice the rank": {"rank": 16, "alpha": 32},
    "attention only": {"lora_targets": "attention"},
    "convolutions too": {"lora_targets": "attention+ff+conv"},
    "no warm-up": {"warmup_steps": 0},
    "warm-up 100": {"warmup_steps": 100},
    "EMA 0.98": {"ema_decay": 0.98},
    "no flip": {"random_flip": False},
    "rate 3e-4": {"learning_rate": 3e-4},
    "rate 2e-3": {"learning_rate": 2e-3},
    "cosine": {"schedule": "cosine"},
    "uniform noise levels": {"timestep_sampling": "uniform"},
}
STYLES = ("fxemoji", "streamline stickies", "flat color icons", "streamline kameleon")
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker needs to know."""

    base: str
    cache: Path
    device: str
    steps: int
    checkpoint_steps: int
    drawing_steps: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training."""

    style: str
    seed: int
    variant: str


def check_variants(names: Sequence[str]) -> None:
    """Refuse, before anything runs, a variant unknown or with a field that Plan does not have."""
    known = {field.name for field in fields(Plan)}
    for name in names:
        if name not in VARIANTS:
            raise SystemExit(f"{name!r}: the variants are {', '.join(VARIANTS)}")
        if missing := set(VARIANTS[name]) - known:
            raise SystemExit(
                f"{name!r}: lora.plan.Plan has no {', '.join(sorted(missing))}; leave it out with --not"
            )


def planned(base: Base, run: Run, settings: Settings, samples: int) -> Plan:
    """The product's own plan with the variant's values. The default's batch and rate are the base's own."""
    asked = TrainSettings(steps=settings.steps, checkpoint_steps=settings.checkpoint_steps, seed=run.seed)
    return replace(plan(base, asked, samples=samples), **VARIANTS[run.variant])


class Worker:
    """One process's base, tasks and judges: loaded once, used for many runs."""

    def __init__(self, settings: Settings, work: dict[str, tuple[Task, Judge]], number: int) -> None:
        torch.set_num_threads(1 if settings.device != "cpu" else max(1, torch.get_num_threads()))
        device = settings.device
        if device == "cuda":
            device = f"cuda:{number % torch.cuda.device_count()}"
        self.settings, self.work = settings, work
        self.base = load(settings.base, settings.cache, device)
        self.plain: dict[tuple[str, int], tuple[list[Image.Image], Line]] = {}

    def drawings(self, work: Task, adapter: bytes | None, seed: int) -> list[Image.Image]:
        return drawn(
            self.base,
            work,
            adapter,
            steps=self.settings.drawing_steps,
            seeds=(seed,),
            batch_size=self.settings.batch,
        )

    def do(self, run: Run) -> list[dict[str, Any]]:
        """Train once; one row a checkpoint."""
        began = time.monotonic()
        work, referee = self.work[run.style]
        device = self.base.device
        at = (run.style, run.seed)
        if at not in self.plain:
            made = self.drawings(work, None, run.seed)
            self.plain[at] = made, span(referee, work, made, device)
        plain, along = self.plain[at]
        rows = [mark(referee, work, along, plain, 0, device)]
        for point in checkpoints(self.base, work, planned(self.base, run, self.settings, len(work.samples))):
            made = self.drawings(work, point.adapter, run.seed)
            rows.append(mark(referee, work, along, made, point.step, device))
        took = round(time.monotonic() - began, 1)
        return [{"base": self.base.hash, **asdict(run), **asdict(row), "seconds": took} for row in rows]


_started: tuple[
    Settings, dict[str, tuple[Task, Judge]], int
]  # what a pool's initializer leaves for its tasks


def _start(settings: Settings, work: dict[str, tuple[Task, Judge]], numbers: Any) -> None:
    global _started
    _started = settings, work, numbers.get()


@cache
def _worker() -> Worker:
    """This process's own, made by its first run: a base that cannot be loaded is then an error of that run."""
    return Worker(*_started)


def _do(run: Run) -> list[dict[str, Any]]:
    return _worker().do(run)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of results. A line that was cut off by a kill is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def todo(args: argparse.Namespace, done: list[dict[str, Any]], base_hash: str) -> list[Run]:
    """The runs that are still to do, all variants of one (seed, style) together."""
    whole = {
        (row["style"], row["seed"], row["variant"])
        for row in done
        if row["base"] == base_hash and row["step"] == args.steps
    }
    runs = [
        Run(style=style, seed=seed, variant=variant)
        for seed in args.seeds
        for style in args.styles
        for variant in args.variants
    ]
    return [run for run in runs if (run.style, run.seed, run.variant) not in whole]


def run(args: argparse.Namespace) -> None:
    check_variants(args.variants)
    began = time.monotonic()
    base = load(args.base, args.cache, args.device)
    runs = todo(args, read(args.file), base.hash)
    device = base.device
    named = load_named(args.dir)
    work = {style: _prepared(args.dir, named, style, device) for style in {r.style for r in runs}}
    del base
    print(f"{len(runs)} runs to do; ready after {time.monotonic() - began:.0f} s", flush=True)
    settings = Settings(
        base=args.base,
        cache=args.cache,
        device=args.device,
        steps=args.steps,
        checkpoint_steps=args.checkpoint_steps,
        drawing_steps=args.drawing_steps,
        batch=args.batch,
    )
    args.file.parent.mkdir(parents=True, exist_ok=True)
    results = _results(runs, settings, work, args.workers, began + args.seconds)
    for done, rows in enumerate(results, start=1):
        with args.file.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        last = rows[-1]
        print(f"{time.monotonic() - began:.0f} s, {done}/{len(runs)}: {last['style']}, seed {last['seed']}, "
              f"{last['variant']}: way {last['way']:.2f}, accuracy {last['accuracy']:.2f}, {last['seconds']} s",
              flush=True)  # fmt: skip


def _prepared(folder: Path, named: Sequence[Drawing], style: str, device: torch.device) -> tuple[Task, Judge]:
    work = task(named, style)
    return work, judge(folder, named, work.concepts, device)


def _results(
    runs: list[Run], settings: Settings, work: dict[str, tuple[Task, Judge]], workers: int, deadline: float
) -> Iterator[list[dict[str, Any]]]:
    """Rows of each run when it is done; what is not done by ``deadline`` (monotonic) is given up."""
    os.environ.setdefault("OMP_NUM_THREADS", "1" if settings.device != "cpu" else "2")
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    for number in range(workers):
        numbers.put(number)
    with context.Pool(workers, _start, (settings, work, numbers)) as pool:
        coming = pool.imap_unordered(_do, runs)
        for _ in runs:
            try:
                yield coming.next(timeout=max(0.1, deadline - time.monotonic()))
            except multiprocessing.TimeoutError:
                print("time is up; run it again to go on", flush=True)
                return


def report(args: argparse.Namespace) -> None:
    rows = {(r["variant"], r["style"], r["seed"], r["step"]): r for r in read(args.file) if r["step"]}
    steps = sorted({key[3] for key in rows})
    print("| variant | steps | runs | way | left | accuracy | way - default | accuracy - default |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for variant in VARIANTS:
        for step in steps:
            found = {key[1:]: row for key, row in rows.items() if key[0] == variant and key[3] == step}
            if found:
                print(_line(variant, step, found, rows))
    bases = {(r["style"], r["seed"]): r["accuracy"] for r in read(args.file) if r["step"] == 0}
    if bases:
        print(f"\nThe base's own accuracy on the same concepts: {statistics.mean(bases.values()):.3f}")


def _line(
    variant: str, step: int, found: dict[tuple[Any, ...], Any], rows: dict[tuple[Any, ...], Any]
) -> str:
    cells = [_spread([row[what] for row in found.values()]) for what in ("way", "left", "accuracy")]
    for what in ("way", "accuracy"):
        pairs = [(row, rows.get((DEFAULT, *key))) for key, row in found.items()]
        gained = [row[what] - usual[what] for row, usual in pairs if usual is not None]
        cells.append(_spread(gained, signed=True) if gained and variant != DEFAULT else "")
    return f"| {variant} | {step} | {len(found)} | " + " | ".join(cells) + " |"


def _spread(values: Sequence[float], signed: bool = False) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{'+' if signed else ''}.3f} ± {spread:.3f}"


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
    go.add_argument("--seconds", type=float, default=1e9, help="stop by then; what is done is kept")
    go.add_argument("--steps", type=int, default=600)
    go.add_argument("--checkpoint-steps", type=int, default=100)
    go.add_argument("--drawing-steps", type=int, default=12)
    go.add_argument("--batch", type=int, default=20, help="drawings made at once")
    go.add_argument("--styles", nargs="+", choices=list(UNSEEN), default=list(STYLES))
    go.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    go.add_argument("--variants", nargs="+", default=list(VARIANTS))
    go.add_argument("--not", dest="without", nargs="+", default=[], help="variants to leave out")
    show = verbs.add_parser("report")
    show.set_defaults(verb=report)
    show.add_argument("file", type=Path)
    args = parser.parse_args()
    if hasattr(args, "without"):
        args.variants = [name for name in args.variants if name not in args.without]
    args.verb(args)


if __name__ == "__main__":
    main()
