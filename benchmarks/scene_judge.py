"""The judge of scenes: which characters, things and emotions a picture shows.

A multi-label classifier on the last features of EfficientNet-lite0 (7 x 7 cells of 1,280 numbers). Each label has a
score in each cell, and the picture's score is their soft maximum, for parts may be small. It learns from composites
(``lora.pretrain.acts``) and single drawings of sets that no base is trained on: fxemoji, flat color icons, openmoji.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.features import framed
from benchmarks.prompts import EMOTION_PROMPTS, EMOTIONS, SCENES, ScenePrompt
from lora.evaluation.scorers.efficientnet import network, seen
from lora.pretrain.acts.act import Source
from lora.pretrain.acts.compose import compose
from lora.pretrain.acts.plan import Cast
from lora.pretrain.drawings import Drawing, is_cut_out, render
from lora.pretrain.looks import random_look

JUDGES = ("fxemoji", "flat color icons", "openmoji")
AXES = 192  # principal components that a cell's features are reduced to
LOOKS = 0.5  # share of pictures that are shown in a look
SINGLE = 0.25  # share of pictures that are a single drawing
STEPS, BATCH, RATE = 1200, 128, 1e-2
WHITE = (255, 255, 255)


def subject(concept: str) -> str:
    """The label of a concept: an animal and its face are one."""
    return concept.removesuffix(" face")


CONCEPTS = tuple(
    sorted({subject(c) for scene in (*SCENES, *EMOTION_PROMPTS) for c in (scene.who, scene.what) if c})
)
LABELS = CONCEPTS + EMOTIONS


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture, RGB on white, and its labels."""

    picture: Image.Image
    labels: frozenset[str]


class Studio:
    """Composes scenes of the drawings of some sets."""

    def __init__(self, named: Sequence[Drawing], styles: Sequence[str]) -> None:
        needed = set(CONCEPTS) | {f"{c} face" for c in CONCEPTS}
        faces = [d for d in named if d.style in styles and (d.concept in needed or d.group == 0)]
        self.drawings = [
            {"style": d.style, "concept": d.concept, "group": d.group, "tags": []} for d in faces
        ]
        self._source = Source(lambda row: render(faces[row].svg), [d.concept for d in faces])
        self._cast = Cast(self.drawings, self._source)
        self._rows: dict[str, dict[str, int]] = {style: {} for style in styles}
        for row, drawing in enumerate(faces):
            self._rows[drawing.style].setdefault(drawing.concept, row)

    def scene(self, prompt: ScenePrompt, rng: Random) -> Shown | None:
        """The scene of a random set; None if the set lacks one of its drawings."""
        known = self._rows[rng.choice(list(self._rows))]
        if prompt.who not in known or (prompt.what and prompt.what not in known):
            return None
        other = known[prompt.what] if prompt.what else -1
        act = self._cast.staged(prompt.verb, known[prompt.who], other, rng, emotion=prompt.emotion)
        if act is None:
            return None
        labels = {subject(c) for c in (prompt.who, prompt.what) if c} | ({prompt.emotion} - {""})
        if act.verb == "loving":
            labels.add("in love")
        return Shown(picture=_looked(compose(act, self._source), rng), labels=frozenset(labels))

    def single(self, rng: Random) -> Shown | None:
        """One drawing of a random set."""
        known = self._rows[rng.choice(list(self._rows))]
        concepts = [c for c in known if subject(c) in CONCEPTS]
        concept = rng.choice(concepts)
        rgba = self._source.sprite(known[concept]).rgba
        if not is_cut_out(rgba):
            return None
        return Shown(picture=_looked(rgba, rng), labels=frozenset({subject(concept)}))


def _looked(rgba: np.ndarray, rng: Random) -> Image.Image:
    if rng.random() < LOOKS:
        rgba = random_look(rng)(rgba)
    picture = Image.new("RGB", (rgba.shape[1], rgba.shape[0]), WHITE)
    picture.paste(Image.fromarray(rgba, "RGBA"), mask=Image.fromarray(rgba[..., 3]))
    return picture


def invented(rng: Random) -> ScenePrompt:
    """A random scene of the same characters, things, verbs and emotions as the prompts that are judged."""
    if rng.random() < 0.4:
        who = rng.choice(EMOTION_PROMPTS).who
        return ScenePrompt(prompt="", who=who, emotion=rng.choice(EMOTIONS))
    one, two = rng.choice(SCENES[:50]), rng.choice(SCENES[:50])
    return ScenePrompt(prompt="", verb=two.verb, who=one.who, what=two.what)


def examples(studio: Studio, rng: Random) -> Iterator[Shown]:
    """Endless pictures to learn from."""
    while True:
        made = studio.single(rng) if rng.random() < SINGLE else studio.scene(invented(rng), rng)
        if made is not None:
            yield made


@torch.inference_mode()
def cells(pictures: Sequence[Image.Image]) -> Tensor:
    """The features of each cell, half precision [N, 49, 1280], of RGB pictures on white."""
    found = []
    for start in range(0, len(pictures), 16):
        batch = np.stack([np.asarray(framed(picture)) for picture in pictures[start : start + 16]])
        pixels = torch.from_numpy((batch.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        found.append(seen(network(), pixels)[1].flatten(2).transpose(1, 2).half())
    return torch.cat(found)


class Judge(nn.Module):
    """Scores of LABELS [N, L] from cells [N, 49, 1280]."""

    def __init__(self, labels: int = len(LABELS), width: int = 1280, axes: int = AXES) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(width))
        self.axes = nn.Buffer(torch.zeros(width, axes))
        self.local = nn.Linear(axes, labels)
        self.whole = nn.Linear(axes, labels)
        self.sharp = nn.Parameter(torch.ones(()))

    def reduced(self, cells: Tensor) -> Tensor:
        """Cells [N, 49, 1280] along the principal axes, float [N, 49, AXES]."""
        return (cells.float() - self.mean) @ self.axes

    def forward(self, reduced: Tensor) -> Tensor:
        """Soft maximum of the cells' scores, and a score of their mean."""
        local = torch.logsumexp(self.local(reduced) * self.sharp, dim=1) / self.sharp
        return local - 4 + self.whole(reduced.mean(dim=1))

    @torch.inference_mode()
    def scores(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Scores [N, L] of RGB pictures on white."""
        scores: Tensor = self(self.reduced(cells(pictures)))
        return scores


def learned(
    features: Tensor, labels: Tensor, *, steps: int = STEPS, axes: int = AXES, rate: float = RATE
) -> Judge:
    """A judge that has learned the labels [N, L] (0 or 1) of cells [N, 49, 1280]."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    judge = Judge(labels.shape[1], features.shape[2], axes)
    flat = features[:, ::5].reshape(-1, features.shape[2]).float()
    judge.mean.copy_(flat.mean(dim=0))
    values, vectors = torch.linalg.eigh((flat - judge.mean).T.cov())
    judge.axes.copy_(vectors[:, -axes:] / values[-axes:].clamp_min(1e-6).sqrt())
    reduced = judge.reduced(features)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(labels), (BATCH,), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(judge(reduced[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge.eval()


def targets(shown: Sequence[frozenset[str]]) -> Tensor:
    """0 or 1 for each of LABELS, float [N, L]."""
    return torch.tensor([[float(label in one) for label in LABELS] for one in shown])


def right(scores: Tensor, prompt: ScenePrompt) -> bool:
    """Whether scores [L] say that a picture shows what the prompt names.

    Of all concepts, the one or two that are named must be among the two or three with the highest scores. An emotion
    must be the one with the highest score.
    """
    named = {subject(c) for c in (prompt.who, prompt.what) if c}
    order = scores[: len(CONCEPTS)].argsort(descending=True).tolist()
    best = {CONCEPTS[i] for i in order[: len(named) + 1]}
    felt = EMOTIONS[int(scores[len(CONCEPTS) :].argmax())]
    return named <= best and prompt.emotion in ("", felt)


def save(judge: Judge, path: Path) -> None:
    """Write the judge's weights as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in judge.state_dict().items()}, path)


def load_judge(path: Path) -> Judge:
    """Read what ``save`` wrote."""
    judge = Judge()
    judge.load_state_dict(load_file(path))
    return judge.eval()
