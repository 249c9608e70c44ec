"""Measures rules of drawing with the bundled base: few steps, and guidance that stops early.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.sampling steps                # needs no drawings
    python -m benchmarks.sampling concepts --counts 10
    python -m benchmarks.sampling guidance

steps     with the ready style and without an adapter, at CFG 5 and 7.5: how far drawings in few steps are from those in
          100 steps, and those in 20 steps of DDIM are (``benchmarks.sampling_steps``)
concepts  how often the right one of 60 concepts is nearest, for numbers of steps
guidance  the 60 concepts of ``benchmarks.sticker_nano``, seed 0: how often the right one is nearest, how flat the
          background is, and the seconds of a drawing, for several shares of guided steps
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import flags, sampling_steps
from benchmarks.features import features
from benchmarks.sticker_nano import STYLES, Real, chosen_concepts, flat_share
from lora.drawing.sampling import Item, Picture, draw
from lora.models.base_model import Base

CFG, STEPS = 5.0, 20
STOPS = (1.0, 0.75, 0.55, 0.35)


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


KINDS = {
    "steps": sampling_steps.steps,
    "concepts": sampling_steps.concepts,
    "guidance": guidance,
}


def main() -> None:
    parser = flags.parser(__doc__, batch=10)
    parser.add_argument("what", choices=list(KINDS))
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
