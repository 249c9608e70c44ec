"""How far drawings go that are in a style beyond doubt, on the way that ``benchmarks.learn_style`` measures.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.reach

samples   for each unseen style, its 28 samples themselves: real drawings, of other concepts than the 20 of the way;
          and how many of its real drawings of those 20 the judge of concepts names
named     for styles that the base was trained on: its drawings where the style is asked for, on the way from those
          where none is to the style's real ones of the same concepts
decoded   for all ten, on the same way: their real drawings, encoded and decoded; no denoiser can go further
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from PIL import Image

from benchmarks import flags
from benchmarks.features import look
from benchmarks.learn_style import CFG, WHITE, Judge, Line, drawn, judge, span, task
from benchmarks.sticker_nano import real_drawings
from lora.data.dataset import on_flat_background, open_samples, to_tensor
from lora.drawing.sampling import Item, Picture, draw, images_of
from lora.models.base_model import Base, load
from lora.pretrain.drawings import SETS, UNSEEN, load_named

STEPS = 20


def say(
    what: str, referee: Judge, along: Line, pictures: Sequence[Image.Image], device: torch.device
) -> None:
    gone = referee.place(look(pictures, device).style) - along.start
    length = float(along.way.norm())
    way, left = float(gone @ along.way) / length**2, float((along.way - gone).norm()) / length
    print(f"{what}: way {way:.2f}, left {left:.2f} (the whole way is {length:.1f} long)", flush=True)


def samples(args: argparse.Namespace, base: Base) -> None:
    """Three lines for each unseen style."""
    named = load_named(args.dir)
    for style in UNSEEN:
        work = task(named, style)
        referee = judge(args.dir, named, work.concepts, base.device)
        right = referee.accuracy(look(work.real, base.device).subject, work.concepts)
        print(f"{style}: the judge names {right:.0%} of its real drawings", flush=True)
        plain = drawn(base, work, None, steps=STEPS, seeds=(0,), batch_size=args.batch)
        along = span(referee, work, plain, base.device)
        shown = [on_flat_background(image, 256, WHITE) for image in open_samples(work.samples)]
        say(f"{style}, the samples", referee, along, shown, base.device)
        back = [decoded(base, picture) for picture in work.real]
        say(f"{style}, decoded", referee, along, back, base.device)


def named(args: argparse.Namespace, base: Base) -> None:
    """Two lines for each of the training sets, on the concepts of the task that fxemoji is learned for."""
    drawings = load_named(args.dir)
    concepts = task(drawings, "fxemoji").concepts
    referee = judge(args.dir, drawings, concepts, base.device)

    def made(style: str) -> list[Image.Image]:
        items = [
            Item(prompt=f"{style} {concept}".strip(), seed=seed, cfg=CFG, background="white")
            for seed, concept in enumerate(concepts)
        ]
        drawn = (p for p in draw(base, items, steps=STEPS, batch_size=args.batch) if isinstance(p, Picture))
        return [p.image.reduce(base.sub_pixels) for p in sorted(drawn, key=lambda p: p.index)]

    start = referee.place(look(made(""), base.device).style)
    drawn_by = real_drawings(args.dir, [(style, concept) for style in SETS for concept in concepts])
    for number, style in enumerate(SETS):
        real = drawn_by[number * len(concepts) : (number + 1) * len(concepts)]
        along = Line(start=start, way=referee.place(look(real, base.device).style) - start)
        say(f"{style}, named", referee, along, made(style), base.device)
        say(f"{style}, decoded", referee, along, [decoded(base, picture) for picture in real], base.device)


def decoded(base: Base, picture: Image.Image) -> Image.Image:
    """An RGB picture after the VAE, as large as it was."""
    latents, _ = base.encode(to_tensor([picture]))
    (image,) = images_of(base, latents)
    return image.reduce(base.sub_pixels)


def main() -> None:
    parser = flags.parser(__doc__, batch=10)
    args = parser.parse_args()
    base = load(args.base, args.cache, args.device)
    samples(args, base)
    named(args, base)


if __name__ == "__main__":
    main()
