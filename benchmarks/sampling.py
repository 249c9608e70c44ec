"""Measures rules of drawing with the bundled base: few steps, guidance that stops early, adapters that begin weakly.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.sampling steps                # needs no drawings
    python -m benchmarks.sampling concepts --counts 10
    python -m benchmarks.sampling guidance
    python -m benchmarks.sampling adapter [--style "streamline stickies"]

steps     with the ready style and without an adapter, at CFG 5 and 7.5: how far drawings in few steps are from those in
          100 steps, and those in 20 steps of DDIM are (``benchmarks.sampling_steps``)
concepts  how often the right one of 60 concepts is nearest, for numbers of steps
guidance  the 60 concepts of ``benchmarks.sticker_nano``, seed 0: how often the right one is nearest, how flat the
          background is, and the seconds of a drawing, for several shares of guided steps
adapter   an unseen style learned with the product's plan: way, left and accuracy of ``benchmarks.learn_style``, with
          the adapter at several strengths in the first steps, which decide on shapes, and in the later ones
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks import flags, sampling_steps
from benchmarks.features import features
from benchmarks.learn_style import (
    Task,
    checkpoints,
    draw_concepts,
    make_judge,
    make_task,
    measure,
    style_line,
)
from benchmarks.sticker_nano import STYLES, Real, chosen_concepts, flat_share, save_sheet
from lora.adapters import adapter_file
from lora.drawing.sampling import Item, Picture, draw
from lora.jobs import TrainSettings
from lora.models.base_model import Base
from lora.pretrain.drawings import UNSEEN, load_named
from lora.training.plan import make_plan

CFG, STEPS = 5.0, 20
STOPS = (1.0, 0.75, 0.55, 0.35)
# (share of the steps, strength in them, strength in the others)
STRENGTHS = ((0.0, 1.0, 1.0), (0.0, 1.0, 0.8), (0.05, 0.0, 1.0), (0.2, 0.5, 1.0), (0.3, 0.5, 1.0))
SEEDS = (0, 1)


def guidance(args: argparse.Namespace, base: Base) -> None:
    """A line for each share of guided steps."""
    names = chosen_concepts(args.dir)
    styles = [STYLES[i % len(STYLES)] for i in range(len(names))]
    real = Real(args.dir, names, base.device)
    items = [Item(prompt=f"{s} {n}", cfg=CFG, seed=0) for s, n in zip(styles, names, strict=True)]
    for stop in STOPS:
        base.profile = replace(base.profile, guidance_stop=stop, guided_steps=None)
        began = time.monotonic()
        made = {
            p.index: p.image
            for p in draw(base, items, steps=STEPS, batch_size=args.batch)
            if isinstance(p, Picture)
        }
        each = (time.monotonic() - began) / len(items)
        pictures = [made[i] for i in range(len(items))]
        found = features(pictures, base.device)
        right, among_all = (real.right(found, names, own) for own in ([*styles], [None] * len(names)))
        flat = statistics.mean(flat_share(picture) for picture in pictures)
        print(f"guided in {stop:.0%} of the steps: {right:.1%} right among the five other sets, {among_all:.1%} "
              f"among all six, {flat:.1%} of border pixels flat, {each:.2f} s a drawing", flush=True)  # fmt: skip


def adapter(args: argparse.Namespace, base: Base) -> None:
    """A line for each style and strength, and a sheet: real drawings, the base's, then those of each strength."""
    named = load_named(args.dir)
    for style in args.style or UNSEEN:
        task = make_task(named, style)
        judge = make_judge(args.dir, named, task.concepts, base.device)
        data = learned(base, task, args.kept)

        def made(file: bytes | None, task: Task = task) -> list[Image.Image]:
            return draw_concepts(base, task, file, steps=STEPS, seeds=SEEDS, batch_size=args.batch)

        bare = made(None)
        line = style_line(judge, task, bare, base.device)
        accuracy = measure(judge, task, line, bare, 0, base.device).accuracy
        print(f"{style}: the base's right concept {accuracy:.1%}", flush=True)
        rows = [*task.real, *bare[: len(task.real)]]
        for share, early, late in STRENGTHS:
            base.profile = replace(base.profile, shaping=share, shaping_strength=early)
            pictures = made(data if late == 1 else scaled(data, late))
            got = measure(judge, task, line, pictures, 0, base.device)
            print(f"{style}, strength {early} in {share:.0%} of the steps, then {late}: way {got.way:.2f}, "
                  f"left {got.left:.2f}, right concept {got.accuracy:.1%}", flush=True)  # fmt: skip
            rows += pictures[: len(task.real)]
        save_sheet(rows, args.sheets / f"strength {style}.png", columns=len(task.real))


def learned(base: Base, task: Task, folder: Path) -> bytes:
    """The last adapter of a training with the product's plan. It is trained once and stored in ``folder``."""
    path = folder / f"{task.style} {base.hash[:12]}.safetensors"
    if not path.exists():
        plan = make_plan(base, TrainSettings(), samples=len(task.samples))
        *_, last = checkpoints(base, task, replace(plan, checkpoint_steps=plan.steps))
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(last.adapter)
    return path.read_bytes()


def scaled(data: bytes, strength: float) -> bytes:
    """The same adapter at another strength: its B matrices are multiplied by it."""
    from safetensors.torch import load as tensors_of

    tensors = {k: v * strength if ".lora_B." in k else v for k, v in tensors_of(data).items()}
    return adapter_file.to_bytes(tensors, adapter_file.read_header(data))


KINDS = {
    "steps": sampling_steps.steps,
    "concepts": sampling_steps.concepts,
    "guidance": guidance,
    "adapter": adapter,
}


def main() -> None:
    parser = flags.parser(__doc__, batch=10)
    parser.add_argument("what", choices=list(KINDS))
    parser.add_argument("--style", choices=list(UNSEEN), action="append", help="default: all four")
    parser.add_argument("--kept", type=Path, default=Path("data/cache/kept-adapters"))
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/sheets"))
    counts = sampling_steps.COUNTS
    parser.add_argument("--counts", type=int, nargs="+", default=counts, help="steps, of steps and concepts")
    parser.add_argument("--adapter", type=Path, action="append", help="of steps; default: the ready style")
    parser.add_argument("--every", type=int, default=1, help="2: half of the prompts of steps")
    parser.add_argument("--seeds", type=int, default=1, help="drawings of each of the concepts")
    args = parser.parse_args()
    base = flags.base_of(args)
    KINDS[args.what](args, base)


if __name__ == "__main__":
    main()
