"""Learns an unseen style from 28 drawings, and measures how near the drawings of an adapter come to it.

Let b, r and x be the mean style features [320] of drawings of the same 20 held-out concepts: the bare base's, the
style's real ones, and the adapter's. Style features are those of ``benchmarks.features``, z-scored over real drawings
of 60 concepts from the six training sets. With the line v = r - b:

``way``       (x - b) . v / (v . v): 0 as the base draws, 1 as the style does
``left``      |r - x| / |v|: the remaining distance, which also counts changes that do not lead to the style
``accuracy``  the share of drawings whose nearest of those real drawings shows the right concept

Concepts, samples and seeds depend only on the style's name. Drawings on a coloured background are cut out by that
colour and put on white first.
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

from benchmarks.features import extract, nearest
from lora.data.background import choose_background
from lora.data.dataset import SamplePictures, on_flat_background
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
    """A style to learn. The samples show other concepts than ``concepts``, which are drawn and measured."""

    style: str
    samples: tuple[Sample, ...]
    concepts: tuple[str, ...]
    real: tuple[Image.Image, ...]  # the style's own drawings of ``concepts``, RGB on white


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Features of the real drawings that drawings are compared with: 60 concepts, the task's 20 among them."""

    subjects: Tensor  # [R, 1280] of R real drawings
    names: tuple[str, ...]  # the concept of each
    mean: Tensor  # [320], of the real drawings' style
    std: Tensor

    def place(self, style: Tensor) -> Tensor:
        """The mean [320] of style features [N, 320] after z-scoring."""
        return ((style - self.mean) / self.std).mean(dim=0)

    def accuracy(self, subjects: Tensor, wanted: Sequence[str]) -> float:
        """The share of subject features [N, 1280] whose nearest real drawing shows the wanted concept."""
        allowed = torch.ones(len(subjects), len(self.subjects), dtype=torch.bool)
        found = nearest(subjects, self.subjects, allowed).tolist()
        return sum(self.names[i] == word for i, word in zip(found, wanted, strict=True)) / len(wanted)


@dataclass(frozen=True, kw_only=True)
class StyleLine:
    """The line from the base's style to the real one: b and v of the module's formulas, both [320]."""

    start: Tensor
    direction: Tensor


@dataclass(frozen=True, kw_only=True)
class StyleMeasurements:
    """The measurements of one checkpoint's drawings, by the module's formulas. Results files have these names."""

    step: int
    way: float
    left: float
    accuracy: float


def make_task(named: Sequence[Drawing], style: str) -> Task:
    """The style's task: 20 concepts that all six training sets have, and 28 samples of other concepts."""
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


def make_judge(
    folder: Path, named: Sequence[Drawing], concepts: Sequence[str], device: torch.device
) -> Judge:
    """A judge for these concepts and for others that all six training sets have: 60 together."""
    others = sorted(set(shared_concepts(named)) - set(concepts))
    chosen = {*concepts, *Random("judge").sample(others, REFERENCE_CONCEPTS - len(concepts))}
    rows = json.loads((folder / "drawings.json").read_text())
    stored = load_file(folder / "drawings.safetensors")["pictures"]
    used = [i for i, row in enumerate(rows) if row["concept"] in chosen and row["style"] in SETS]
    pictures = [
        on_flat_background(Image.fromarray(stored[i].permute(1, 2, 0).numpy(), "RGBA"), 256, WHITE)
        for i in used
    ]
    real = extract(pictures, device)
    return Judge(
        subjects=real.subject,
        names=tuple(rows[i]["concept"] for i in used),
        mean=real.style.mean(dim=0),
        std=real.style.std(dim=0).clamp_min(1e-6),
    )


def draw_concepts(
    base: Base,
    task: Task,
    adapter: bytes | None,
    *,
    steps: int,
    seeds: Sequence[int],
    batch_size: int,
    cfg: float = CFG,
    strength: float = 1.0,
    words: str = "",
) -> list[Image.Image]:
    """Drawings of the task's concepts, all concepts of a seed before those of the next: RGB on white.

    They have the size of the pictures that the base learned from, and so of the real ones that they are compared with:
    to the network, another sharpness is another style. The bare base draws on the background of the style's adapters,
    too, so that cutting out does not count as a change of style. ``words`` come after each concept.
    """
    background = choose_background(SamplePictures(task.samples), base.profile.backgrounds)
    items = [
        Item(
            prompt=f"{concept}, {words}" if words else concept,
            adapter=adapter,
            seed=1000 * seed + number,
            cfg=cfg,
            strength=strength,
            background=background,
        )
        for seed in seeds
        for number, concept in enumerate(task.concepts)
    ]
    pictures = (p for p in draw(base, items, steps=steps, batch_size=batch_size) if isinstance(p, Picture))
    return [on_white(p).reduce(base.sub_pixels) for p in sorted(pictures, key=lambda p: p.index)]


def on_white(picture: Picture) -> Image.Image:
    """The drawing with a white background, or unchanged if its border has several colours."""
    if picture.background_colour == WHITE:
        return picture.image
    rgb = np.asarray(picture.image)
    background = flat.background_colour(rgb, picture.background_colour)
    if background is None:
        return picture.image
    # Without the cut-out network: every patch of a colour as strong as this one is background.
    alpha, colour = flat.key(rgb, background, lambda part: np.zeros(rgb.shape[:2])[part])
    white = Image.new("RGB", picture.image.size, WHITE)
    white.paste(Image.fromarray(colour), mask=Image.fromarray(alpha))
    return white


def style_line(judge: Judge, task: Task, bare: Sequence[Image.Image], device: torch.device) -> StyleLine:
    """The line from the bare base's drawings of the task's concepts to the style's real ones."""
    start = judge.place(extract(bare, device).style)
    return StyleLine(start=start, direction=judge.place(extract(task.real, device).style) - start)


def measure(
    judge: Judge, task: Task, line: StyleLine, made: Sequence[Image.Image], step: int, device: torch.device
) -> StyleMeasurements:
    """Measure drawings of the task's concepts, as ``draw_concepts`` returns them."""
    found = extract(made, device)
    change = judge.place(found.style) - line.start
    length = float(line.direction.norm())
    return StyleMeasurements(
        step=step,
        way=float(change @ line.direction) / length**2,
        left=float((line.direction - change).norm()) / length,
        accuracy=judge.accuracy(found.subject, list(task.concepts) * (len(made) // len(task.concepts))),
    )


def checkpoints(base: Base, task: Task, plan: Plan, *, number: int = 1) -> Iterator[Checkpoint]:
    """Train with this plan and yield every checkpoint."""
    job = Train(id=number, attempt=1, keyword=KEYWORD, samples=task.samples)
    for event in train(base, job, plan):
        if isinstance(event, Checkpoint):
            yield event
