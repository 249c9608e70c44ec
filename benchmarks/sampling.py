"""What the two rules of drawing with the bundled base are worth: guidance that stops, adapters that begin weakly.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.sampling guidance
    python -m benchmarks.sampling adapter [--style "streamline stickies"]

guidance  the 60 concepts of ``benchmarks.sticker_nano``, seed 0: how often the right one is nearest, how flat the
          background is, and the seconds a drawing takes, for each share of the steps that is guided
adapter   an unseen style learned as the product does: how far the way to it is gone and how many concepts are
          right (``benchmarks.learn_style``), with the adapter at several strengths while shapes are decided, and later
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks import flags
from benchmarks.features import features
from benchmarks.learn_style import Task, checkpoints, drawn, judge, mark, span, task
from benchmarks.sticker_nano import STYLES, Real, chosen_concepts, flat_share, save_sheet
from lora.adapters import adapter_file
from lora.drawing.sampling import Item, Picture, draw
from lora.jobs import TrainSettings
from lora.models.base_model import Base, load
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
        base.profile = replace(base.profile, guidance_stop=stop)
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
    """A line for each style and strength, and a sheet: the real ones, the base's, then each strength's."""
    named = load_named(args.dir)
    for style in args.style or UNSEEN:
        work = task(named, style)
        referee = judge(args.dir, named, work.concepts, base.device)
        data = learned(base, work, args.kept)

        def made(file: bytes | None, work: Task = work) -> list[Image.Image]:
            return drawn(base, work, file, steps=STEPS, seeds=SEEDS, batch_size=args.batch)

        plain = made(None)
        along = span(referee, work, plain, base.device)
        bare = mark(referee, work, along, plain, 0, base.device)
        print(f"{style}: the base's right concept {bare.accuracy:.1%}", flush=True)
        rows = [*work.real, *plain[: len(work.real)]]
        for share, early, late in STRENGTHS:
            base.profile = replace(base.profile, shaping=share, shaping_strength=early)
            pictures = made(data if late == 1 else scaled(data, late))
            got = mark(referee, work, along, pictures, 0, base.device)
            print(f"{style}, strength {early} in {share:.0%} of the steps, then {late}: way {got.way:.2f}, "
                  f"left {got.left:.2f}, right concept {got.accuracy:.1%}", flush=True)  # fmt: skip
            rows += pictures[: len(work.real)]
        save_sheet(rows, args.sheets / f"strength {style}.png", columns=len(work.real))


def learned(base: Base, work: Task, folder: Path) -> bytes:
    """The last adapter of a training with the product's own values; trained once, then kept."""
    path = folder / f"{work.style} {base.hash[:12]}.safetensors"
    if not path.exists():
        how = make_plan(base, TrainSettings(), samples=len(work.samples))
        *_, last = checkpoints(base, work, replace(how, checkpoint_steps=how.steps))
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(last.adapter)
    return path.read_bytes()


def scaled(data: bytes, strength: float) -> bytes:
    """The same adapter at another strength: its upper halves times that."""
    from safetensors.torch import load as tensors_of

    tensors = {k: v * strength if ".lora_B." in k else v for k, v in tensors_of(data).items()}
    return adapter_file.to_bytes(tensors, adapter_file.read_header(data))


def main() -> None:
    parser = flags.parser(__doc__, batch=10)
    parser.add_argument("what", choices=("guidance", "adapter"))
    parser.add_argument("--style", choices=list(UNSEEN), action="append", help="default: all four")
    parser.add_argument("--kept", type=Path, default=Path("data/cache/kept-adapters"))
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/sheets"))
    args = parser.parse_args()
    base = load(args.base, args.cache, args.device)
    {"guidance": guidance, "adapter": adapter}[args.what](args, base)


if __name__ == "__main__":
    main()
