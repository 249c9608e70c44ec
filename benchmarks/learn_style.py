"""Learns an unseen style from 28 drawings, and says how near to it the drawings of an adapter come.

``way``       how far the mean style of 20 held-out concepts has gone from the base's drawings to the style's real ones:
              their difference projected on the line base -> real, so 0 = as the base draws, 1 = as the style does
``left``      the distance that is left to the real ones, as a share of base -> real (it also counts what went astray)
``accuracy``  how many drawings have a real one of the right concept as nearest neighbour, among the six training sets'
              drawings of 60 concepts

Style is what ``benchmarks.features`` calls so, z-scored over those real drawings. Concepts, samples and seeds are
fixed by the style's name. Drawings on a coloured background are cut out by that colour and put on white first.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.features import look, nearest
from lora.data.background import choose_background
from lora.data.dataset import on_flat_background, open_samples
from lora.drawing.cutout import flat
from lora.drawing.sampling import Item, Picture, draw
from lora.jobs import Checkpoint, Sample, Train
from lora.models.base_model import Base
from lora.models.profiles import Colour
from lora.pretrain.drawings import SETS, Drawing, held_out, shared_concepts, unseen
from lora.training.loop import train
from lora.training.plan import Plan

SAMPLES, CONCEPTS, REFERENCE_CONCEPTS = 28, 20, 60
KEYWORD = "bomux"
WHITE: Colour = (255, 255, 255)
CFG = 5.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """A style to learn. ``samples`` show other concepts than ``concepts``, which are drawn and judged."""

    style: str
    samples: tuple[Sample, ...]
    concepts: tuple[str, ...]
    real: tuple[Image.Image, ...]  # the style's own drawings of ``concepts``, RGB on white


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What drawings are compared with: real drawings of 60 concepts, the 20 of the task among them."""

    subjects: Tensor  # [R, 1280]
    names: tuple[str, ...]  # the concept of each
    mean: Tensor  # [320], of the real drawings' style
    std: Tensor

    def place(self, style: Tensor) -> Tensor:
        """The mean [320] of z-scored style features [N, 320]."""
        return ((style - self.mean) / self.std).mean(dim=0)

    def accuracy(self, subjects: Tensor, wanted: Sequence[str]) -> float:
        allowed = torch.ones(len(subjects), len(self.subjects), dtype=torch.bool)
        found = nearest(subjects, self.subjects, allowed).tolist()
        return sum(self.names[i] == word for i, word in zip(found, wanted, strict=True)) / len(wanted)


@dataclass(frozen=True, kw_only=True)
class Line:
    """From the base's style to the real one: both ``start`` and ``way`` are [320], z-scored."""

    start: Tensor
    way: Tensor


@dataclass(frozen=True, kw_only=True)
class StyleMeasurements:
    """What the drawings of one checkpoint are worth. ``accuracy`` is a share, like ``way``."""

    step: int
    way: float
    left: float
    accuracy: float


def task(named: Sequence[Drawing], style: str) -> Task:
    """The style's task: 20 concepts that the base knows from all six sets, 28 samples of others."""
    drawings, pictures = unseen(named, style)
    known = set(shared_concepts(named)) - held_out(named)
    at = {drawing.concept: i for i, drawing in enumerate(drawings)}
    chance = Random(f"unseen {style}")
    concepts = chance.sample(sorted(set(at) & known), CONCEPTS)
    shown = chance.sample(sorted(set(at) - set(concepts)), SAMPLES)
    return Task(
        style=style,
        samples=tuple(Sample(picture=_png(pictures[at[c]]), caption=c) for c in shown),
        concepts=tuple(concepts),
        real=tuple(on_flat_background(Image.fromarray(pictures[at[c]]), 256, WHITE) for c in concepts),
    )


def _png(rgba: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    return out.getvalue()


def judge(folder: Path, named: Sequence[Drawing], concepts: Sequence[str], device: torch.device) -> Judge:
    """A judge for these concepts, with others that all six sets share to be mistaken for."""
    others = sorted(set(shared_concepts(named)) - set(concepts))
    chosen = {*concepts, *Random("judge").sample(others, REFERENCE_CONCEPTS - len(concepts))}
    rows = json.loads((folder / "drawings.json").read_text())
    stored = load_file(folder / "drawings.safetensors")["pictures"]
    kept = [i for i, row in enumerate(rows) if row["concept"] in chosen and row["style"] in SETS]
    pictures = [
        on_flat_background(Image.fromarray(stored[i].permute(1, 2, 0).numpy(), "RGBA"), 256, WHITE)
        for i in kept
    ]
    seen = look(pictures, device)
    return Judge(
        subjects=seen.subject,
        names=tuple(rows[i]["concept"] for i in kept),
        mean=seen.style.mean(dim=0),
        std=seen.style.std(dim=0).clamp_min(1e-6),
    )


def drawn(
    base: Base,
    work: Task,
    adapter: bytes | None,
    *,
    steps: int,
    seeds: Sequence[int],
    batch_size: int,
    cfg: float = CFG,
) -> list[Image.Image]:
    """The task's concepts, once for each seed (the seeds outermost), RGB on white, as large as the base learns from.

    That is the size of the real ones that they are compared with: to an eye, another sharpness is another style. The
    bare base draws on the background of the style's adapters too: cutting out is no part of the way to the style.
    """
    background = choose_background(open_samples(work.samples), base.profile.backgrounds)
    items = [
        Item(prompt=concept, adapter=adapter, seed=1000 * seed + number, cfg=cfg, background=background)
        for seed in seeds
        for number, concept in enumerate(work.concepts)
    ]
    pictures = (p for p in draw(base, items, steps=steps, batch_size=batch_size) if isinstance(p, Picture))
    return [on_white(p).reduce(base.sub_pixels) for p in sorted(pictures, key=lambda p: p.index)]


def on_white(picture: Picture) -> Image.Image:
    """The drawing with its background turned white. Left as it is if its border is of several colours."""
    if picture.background_colour == WHITE:
        return picture.image
    rgb = np.asarray(picture.image, dtype=np.float64) / 255
    background = flat.background_colour(rgb, picture.background_colour)
    if background is None:
        return picture.image
    # No network is asked: a patch of so strong a colour is a hole wherever it is.
    alpha, colour = flat.key(rgb, background, np.zeros(rgb.shape[:2]))
    white = colour * alpha[..., None] + 1 - alpha[..., None]
    return Image.fromarray((white * 255).round().clip(0, 255).astype(np.uint8))


def span(referee: Judge, work: Task, plain: Sequence[Image.Image], device: torch.device) -> Line:
    """The line from the base's ``plain`` drawings of the task's concepts to the style's real ones."""
    start = referee.place(look(plain, device).style)
    return Line(start=start, way=referee.place(look(work.real, device).style) - start)


def mark(
    referee: Judge, work: Task, along: Line, made: Sequence[Image.Image], step: int, device: torch.device
) -> StyleMeasurements:
    """What the drawings of the task's concepts (once or more, seeds outermost) are worth."""
    found = look(made, device)
    gone = referee.place(found.style) - along.start
    length = float(along.way.norm())
    return StyleMeasurements(
        step=step,
        way=float(gone @ along.way) / length**2,
        left=float((along.way - gone).norm()) / length,
        accuracy=referee.accuracy(found.subject, list(work.concepts) * (len(made) // len(work.concepts))),
    )


def checkpoints(base: Base, work: Task, how: Plan, *, number: int = 1) -> Iterator[Checkpoint]:
    """Train as ``how`` says and give every checkpoint."""
    job = Train(id=number, attempt=1, keyword=KEYWORD, samples=work.samples)
    for event in train(base, job, how):
        if isinstance(event, Checkpoint):
            yield event
