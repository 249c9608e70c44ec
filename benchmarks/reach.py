"""Measures ``way`` and ``left`` of ``benchmarks.learn_style`` for drawings that certainly have a style: upper limits.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.reach

samples   for each unseen style, its 28 samples: real drawings of other concepts than the 20 of the line; and the share
          of its real drawings of those 20 that the judge recognises
named     for styles that the base was trained on: its drawings with the style's name in the prompt, on the line from
          those without a name to the style's real ones of the same concepts
decoded   for all ten styles, on the same line: their real drawings after the VAE. No denoiser can come nearer
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from PIL import Image

from benchmarks import flags
from benchmarks.features import extract
from benchmarks.learn_style import (
    CFG,
    WHITE,
    Judge,
    StyleLine,
    draw_concepts,
    make_judge,
    make_task,
    style_line,
)
from benchmarks.sticker_nano import real_drawings
from lora.data.dataset import SamplePictures, on_flat_background, to_tensor
from lora.drawing.sampling import Item, Picture, draw, images_of
from lora.models.base_model import Base
from lora.pretrain.drawings import SETS, UNSEEN, load_named

STEPS = 20


def say(
    what: str, judge: Judge, line: StyleLine, pictures: Sequence[Image.Image], device: torch.device
) -> None:
    change = judge.place(extract(pictures, device).style) - line.start
    length = float(line.direction.norm())
    way = float(change @ line.direction) / length**2
    left = float((line.direction - change).norm()) / length
    print(f"{what}: way {way:.2f}, left {left:.2f} (the whole way is {length:.1f} long)", flush=True)


def samples(args: argparse.Namespace, base: Base) -> None:
    """Three lines for each unseen style."""
    named = load_named(args.dir)
    for style in UNSEEN:
        task = make_task(named, style)
        judge = make_judge(args.dir, named, task.concepts, base.device)
        right = judge.accuracy(extract(task.real, base.device).subject, task.concepts)
        print(f"{style}: the judge names {right:.0%} of its real drawings", flush=True)
        bare = draw_concepts(base, task, None, steps=STEPS, seeds=(0,), batch_size=args.batch)
        line = style_line(judge, task, bare, base.device)
        shown = [on_flat_background(image, 256, WHITE) for image in SamplePictures(task.samples)]
        say(f"{style}, the samples", judge, line, shown, base.device)
        back = [decoded(base, picture) for picture in task.real]
        say(f"{style}, decoded", judge, line, back, base.device)


def named(args: argparse.Namespace, base: Base) -> None:
    """Two lines for each of the training sets, with the concepts of fxemoji's task."""
    drawings = load_named(args.dir)
    concepts = make_task(drawings, "fxemoji").concepts
    judge = make_judge(args.dir, drawings, concepts, base.device)

    def made(style: str) -> list[Image.Image]:
        items = [
            Item(prompt=f"{style} {concept}".strip(), seed=seed, cfg=CFG, background="white")
            for seed, concept in enumerate(concepts)
        ]
        drawn = (p for p in draw(base, items, steps=STEPS, batch_size=args.batch) if isinstance(p, Picture))
        return [p.image.reduce(base.sub_pixels) for p in sorted(drawn, key=lambda p: p.index)]

    start = judge.place(extract(made(""), base.device).style)
    drawn_by = real_drawings(args.dir, [(style, concept) for style in SETS for concept in concepts])
    for number, style in enumerate(SETS):
        real = drawn_by[number * len(concepts) : (number + 1) * len(concepts)]
        line = StyleLine(start=start, direction=judge.place(extract(real, base.device).style) - start)
        say(f"{style}, named", judge, line, made(style), base.device)
        say(f"{style}, decoded", judge, line, [decoded(base, picture) for picture in real], base.device)


def decoded(base: Base, picture: Image.Image) -> Image.Image:
    """An RGB picture encoded and decoded by the VAE, in its own size."""
    latents, _ = base.encode(to_tensor([picture]))
    (image,) = images_of(base, latents)
    return image.reduce(base.sub_pixels)


def main() -> None:
    parser = flags.parser(__doc__, batch=10)
    args = parser.parse_args()
    base = flags.base_of(args)
    samples(args, base)
    named(args, base)


if __name__ == "__main__":
    main()
