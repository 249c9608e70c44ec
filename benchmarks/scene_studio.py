"""Composes pictures of which it is known what they show, for the judge of scenes (``benchmarks.scene_judge``).

A picture is a scene (``lora.pretrain.acts``) of the characters, things and emotions that the prompts name, or a single
drawing. One process composes scenes of one set.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from benchmarks.features import framed
from benchmarks.prompts import EMOTION_PROMPTS, EMOTIONS, SCENES, ScenePrompt
from lora.pretrain.acts import table
from lora.pretrain.acts.act import Source
from lora.pretrain.acts.compose import compose
from lora.pretrain.acts.plan import Cast
from lora.pretrain.drawings import Drawing, is_cut_out, render
from lora.pretrain.looks import random_look

LOOKS = 0.5  # share of pictures that are shown in a look
SINGLE = 0.2  # share of pictures that are a single drawing
FEELING = 0.4  # share of pictures that show an emotion only
MOOD = 0.3  # share of the other scenes in which somebody feels something, too
SAME = {"teacup without handle": "hot beverage"}  # a cup of tea and a cup of coffee are one
SIDE = 192  # pixels of a picture that the judge sees; fewer take less time
WHITE = (255, 255, 255)


def subject(concept: str) -> str:
    """The label of a concept: an animal and its face are one."""
    return SAME.get(concept, concept.removesuffix(" face"))


CONCEPTS = tuple(
    sorted({subject(c) for scene in (*SCENES, *EMOTION_PROMPTS) for c in (scene.who, scene.what) if c})
)
LABELS = CONCEPTS + EMOTIONS
# What is seen in a scene although nobody names it, so that it is neither right nor wrong.
IMPLIED = {"in love": "red heart", "cool": "sunglasses"}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture, uint8 [S, S, 3] on white, and its labels. ``open`` ones may be seen or not."""

    picture: np.ndarray
    labels: frozenset[str]
    open: frozenset[str] = frozenset()


class Studio:
    """Composes scenes of the drawings of one set, of ``side`` pixels."""

    def __init__(self, named: Sequence[Drawing], style: str, side: int = SIDE) -> None:
        self._side = side
        used = [d for d in named if d.style == style and is_needed(d)]
        self._source = Source(lambda row: render(used[row].svg), [d.concept for d in used])
        rows = [{"style": d.style, "concept": d.concept, "group": d.group, "tags": []} for d in used]
        self._cast = Cast(rows, self._source)
        self._rows: dict[str, int] = {}
        for row, drawing in enumerate(used):
            self._rows.setdefault(drawing.concept, row)
        self.who = sorted(c for c in self._rows if c in ACTORS)
        self.what = sorted({(s.verb, s.what) for s in SCENES if s.what in self._rows})
        self.single_concepts = sorted(c for c in self._rows if subject(c) in CONCEPTS)

    def scene(self, prompt: ScenePrompt, rng: Random, *, looks: float = LOOKS) -> Shown | None:
        """The prompt's scene; None if the set lacks one of its drawings."""
        known = self._rows
        if prompt.who not in known or (prompt.what and prompt.what not in known):
            return None
        other = known[prompt.what] if prompt.what else -1
        act = self._cast.staged(prompt.verb, known[prompt.who], other, rng, emotion=prompt.emotion)
        if act is None:
            return None
        felt = "in love" if act.verb == "loving" else prompt.emotion
        labels = {subject(c) for c in (prompt.who, prompt.what) if c} | ({felt} - {""})
        implied = {IMPLIED[felt]} - labels if felt in IMPLIED else set()
        # A glad face beside a thing, and sunglasses that are worn, look like the emotions of these names.
        hidden = set() if felt else set(EMOTIONS)
        return Shown(
            picture=self._looked(compose(act, self._source), rng, looks),
            labels=frozenset(labels & set(LABELS)),
            open=frozenset(implied | hidden),
        )

    def single(self, rng: Random) -> Shown | None:
        """One drawing of the set."""
        concept = rng.choice(self.single_concepts)
        rgba = self._source.sprite(self._rows[concept]).rgba
        if not is_cut_out(rgba):
            return None
        return Shown(
            picture=self._looked(rgba, rng, LOOKS),
            labels=frozenset({subject(concept)}),
            open=frozenset(EMOTIONS),
        )

    def invented(self, rng: Random) -> ScenePrompt:
        """A random scene with the things and verbs of the prompts, and with characters of the whole table."""
        if rng.random() < FEELING:
            return ScenePrompt(prompt="", who=rng.choice(self.who), emotion=rng.choice(EMOTIONS))
        verb, what = rng.choice(self.what)
        mood = rng.choice(EMOTIONS) if verb in MOODY and rng.random() < MOOD else ""
        return ScenePrompt(prompt="", verb=verb, who=rng.choice(self.who), what=what, emotion=mood)

    def examples(self, rng: Random) -> Iterator[Shown]:
        """Endless pictures to learn from."""
        while True:
            made = self.single(rng) if rng.random() < SINGLE else self.scene(self.invented(rng), rng)
            if made is not None:
                yield made

    def _looked(self, rgba: np.ndarray, rng: Random, share: float) -> np.ndarray:
        if rng.random() < share:
            rgba = random_look(rng)(rgba)
        picture = Image.new("RGB", (rgba.shape[1], rgba.shape[0]), WHITE)
        picture.paste(Image.fromarray(rgba, "RGBA"), mask=Image.fromarray(rgba[..., 3]))
        return np.asarray(framed(picture, self._side))


ACTORS = {scene.who for scene in (*SCENES, *EMOTION_PROMPTS)} | table.HEADS
MOODY = ("holding", "playing", "drinking", "eating", "riding", "in", "on", "beside")


def is_needed(drawing: Drawing) -> bool:
    """Whether scenes of the prompts, or scenes like them, use it."""
    faces = drawing.group == 0
    return faces or subject(drawing.concept) in CONCEPTS or drawing.concept in ACTORS


def learnable(named: Sequence[Drawing], styles: Sequence[str], count: int, side: int = SIDE) -> list[Shown]:
    """``count`` pictures of ``side`` pixels of these sets in equal parts, made by a process for each core."""
    cores = len(os.sched_getaffinity(0))
    parts = max(1, round(cores / len(styles)))
    jobs = [(style, part) for part in range(parts) for style in styles]
    each = -(-count // len(jobs))
    needed = {style: [d for d in named if d.style == style and is_needed(d)] for style in styles}
    with ProcessPoolExecutor(min(cores, len(jobs))) as pool:
        made = pool.map(_share, [needed[s] for s, _ in jobs], jobs, [each] * len(jobs), [side] * len(jobs))
        return [one for part in made for one in part]


def _share(named: list[Drawing], job: tuple[str, int], count: int, side: int) -> list[Shown]:
    style, part = job
    rng = Random(f"judge {style} {part}")
    return list(itertools.islice(Studio(named, style, side).examples(rng), count))


def real_scenes(
    named: Sequence[Drawing], styles: Sequence[str], prompts: Sequence[ScenePrompt], side: int = SIDE
) -> list[tuple[ScenePrompt, Shown]]:
    """Each prompt, composed of the drawings of each set that has them, in no look."""
    needed = [[d for d in named if d.style == style and is_needed(d)] for style in styles]
    with ProcessPoolExecutor() as pool:
        made = pool.map(_composed, needed, styles, [tuple(prompts)] * len(styles), [side] * len(styles))
        return [pair for part in made for pair in part]


def _composed(
    named: list[Drawing], style: str, prompts: tuple[ScenePrompt, ...], side: int
) -> list[tuple[ScenePrompt, Shown]]:
    studio, rng = Studio(named, style, side), Random(f"check {style}")
    return [(prompt, one) for prompt in prompts if (one := studio.scene(prompt, rng, looks=0.0))]
