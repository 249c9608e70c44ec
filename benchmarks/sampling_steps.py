"""What fewer denoising steps cost: ``steps`` and ``concepts`` of ``benchmarks.sampling``.

A drawing of few steps is compared with the one of the same seed in 100 steps, and so is one in 20 steps of DDIM, with
which the bundled base was drawn before. Guidance stops where the profile says.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import numpy as np
import torch
from PIL import Image

from benchmarks.features import features
from benchmarks.prompts import COLOUR_PROMPTS, TWO_PARTS
from benchmarks.sticker_nano import STYLES, Real, chosen_concepts, save_sheet
from lora.drawing import sampling
from lora.drawing.solver import Solver, solver_of
from lora.models import sticker_nano
from lora.models.base_model import Base

READY = sticker_nano.BUNDLED / "ready-style.safetensors"
PROMPTS = (*TWO_PARTS[:4], *(prompt for _, prompt in COLOUR_PROMPTS[:40:10]), "noto owl", "a house")
CFGS = (5.0, 7.5)  # of every other prompt
REFERENCE = 100  # steps, where more change nothing
BEFORE = 20  # steps of DDIM
COUNTS = (6, 8, 10, 12, 16, 20)


def ddim_of(base: Base, steps: int) -> Solver:
    """DDIM in steps of one length: the solver with every step of first order."""
    solver = solver_of(replace(base, profile=replace(base.profile, guided_steps=None)), steps)
    factors = solver.factors.clone()
    factors[:, 3] += factors[:, 4]
    factors[:, 4] = 0
    return replace(solver, factors=factors)


@contextmanager
def drawn_by(name: str) -> Iterator[None]:
    """Within it, ``sampling.draw`` uses this solver: "ddim", or "ours"."""
    with mock.patch.object(sampling, "solver_of", ddim_of if name == "ddim" else solver_of):
        yield


def steps(args: argparse.Namespace, base: Base) -> None:
    """A line for each adapter and number of steps; a sheet for each adapter, whose rows are those of the lines."""
    for path in args.adapter or (READY,):
        for adapter in (None, path.read_bytes()):
            name = path.stem if adapter else "no adapter"
            reference = _drawn(args, base, adapter, "ours", REFERENCE)
            seen = features(reference, base.device)
            rows = [*reference]
            for solver, count in (("ddim", BEFORE), *(("ours", count) for count in args.counts)):
                began = time.process_time()
                pictures = _drawn(args, base, adapter, solver, count)
                took = (time.process_time() - began) / len(pictures)
                likeness = torch.cosine_similarity(seen, features(pictures, base.device))
                print(f"{name}, {solver} in {count} steps: {_off(pictures, reference):.1f}/255 and "
                      f"{1 - likeness.mean().item():.3f} of features from {REFERENCE} steps, "
                      f"{took:.2f} CPU s a drawing", flush=True)  # fmt: skip
                rows += pictures
            save_sheet(rows, args.sheets / f"steps, {name}.png", columns=len(reference))


def concepts(args: argparse.Namespace, base: Base) -> None:
    """A line for each number of steps: how often a concept is nearest to its own real drawings."""
    names = chosen_concepts(args.dir)
    real = Real(args.dir, names, base.device)
    styles = [STYLES[i % len(STYLES)] for i in range(len(names))]
    prompts = [f"{style} {name}" for style, name in zip(styles, names, strict=True)]
    for solver, count in (("ddim", BEFORE), *(("ours", count) for count in args.counts)):
        right = []
        for seed in range(args.seeds):
            items = [sampling.Item(prompt=prompt, cfg=CFGS[0], seed=seed) for prompt in prompts]
            found = features(_pictures(base, items, solver, count, args.batch), base.device)
            right.append([real.right(found, names, own) for own in ([*styles], [None] * len(names))])
        others, among_all = (statistics.mean(shares) for shares in zip(*right, strict=True))
        print(f"{solver} in {count} steps: {others:.1%} right among the five other sets, {among_all:.1%} among all six "
              f"({len(names) * args.seeds} drawings)", flush=True)  # fmt: skip


def _drawn(
    args: argparse.Namespace, base: Base, adapter: bytes | None, solver: str, count: int
) -> list[Image.Image]:
    items = [
        sampling.Item(prompt=prompt, adapter=adapter, seed=seed, cfg=CFGS[seed % len(CFGS)])
        for seed, prompt in enumerate(PROMPTS[:: args.every])
    ]
    return _pictures(base, items, solver, count, args.batch)


def _pictures(
    base: Base, items: Sequence[sampling.Item], solver: str, count: int, batch: int
) -> list[Image.Image]:
    with drawn_by(solver):
        drawn = sampling.draw(base, items, steps=count, batch_size=batch)
        made = {one.index: one.image for one in drawn if isinstance(one, sampling.Picture)}
    return [made[index] for index in range(len(items))]


def _off(pictures: Sequence[Image.Image], others: Sequence[Image.Image]) -> float:
    """The mean over the pairs of the root mean square difference, of 255."""
    pairs = [
        [np.asarray(one, dtype=np.float32) for one in pair] for pair in zip(pictures, others, strict=True)
    ]
    return statistics.mean(float(np.sqrt(((one - other) ** 2).mean())) for one, other in pairs)
