"""Compares checkpoints: all draw the same prompts with the same seeds, are scored, and one is chosen.

``compare`` is a generator, so that its caller can draw for others in between. The marks are made by
``lora.scorers`` and ``lora.likeness``; the choice is ``lora.rule``'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from lora import adapters, draw, likeness, rule
from lora.bases import Base
from lora.dataset import choose_background, on_flat_ground, open_samples
from lora.jobs import Kept, Sample, Score
from lora.prompts import new_prompts
from lora.scorers import Eye, Floats, Looks, Reader, Shown

OTHER_PROMPTS = 5  # with which the right one is compared
LEAST_SAMPLES = 3  # of fewer, no likeness among themselves can be told


class ChooseError(Exception):
    """Checkpoints cannot be compared; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the checkpoints are made to draw. A picture takes about as long as ``steps`` and 9 denoising steps."""

    prompts: tuple[str, ...] = ()  # empty: the first ``count`` that no caption holds
    count: int = 8
    seeds: tuple[int, ...] = (0,)
    cfg: float = 5.0
    steps: int = 10


@dataclass(frozen=True, kw_only=True)
class Step:
    """``step`` of ``steps`` pieces of work are done; the base is free until the next one is asked for."""

    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """The drawings of one checkpoint (or of the bare base: step None), one for each prompt and seed."""

    step: int | None
    pictures: tuple[Image.Image, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of it. Rows: the bare base, then the checkpoints in the order of their steps.

    Pictures go prompt by prompt, and within a prompt seed by seed.
    """

    prompts: tuple[str, ...]
    settings: Settings
    rows: tuple[Row, ...]
    base_prompts: Floats  # how well the bare base follows them [n pictures]
    marks: tuple[rule.Marks, ...] = field(repr=False)
    choice: rule.Choice

    @property
    def base_prompt(self) -> float:
        """How well the bare base follows the prompts, on average."""
        return float(self.base_prompts.mean())

    @property
    def scores(self) -> tuple[Score, ...]:
        """The means of each checkpoint's marks."""
        return tuple(mark.score() for mark in self.marks)


def compare(
    base: Base,
    samples: Sequence[Sample],
    checkpoints: Sequence[Kept],
    eye: Eye,
    reader: Reader,
    settings: Settings | None = None,
) -> Iterator[Step | Comparison]:
    """Draw with every checkpoint and the bare base, score the drawings and choose; the Comparison comes last.

    Between two events the caller may use the base. Raises ChooseError, and JobError (bad-picture, bad-adapter,
    other-base, not-a-number).
    """
    how = settings or Settings()
    kept = sorted(checkpoints, key=lambda one: one.step)
    if not kept:
        raise ChooseError("there are no checkpoints to compare")
    if len(samples) < LEAST_SAMPLES:
        raise ChooseError(f"at least {LEAST_SAMPLES} samples are needed to compare checkpoints")
    captions = [sample.caption for sample in samples]
    prompts = how.prompts or tuple(new_prompts(captions, how.count))
    images = open_samples(samples)
    ground = _ground(base, kept[0], images)
    own = _show(base, images, ground)
    del images  # as large as they were sent; at the base's own size they can wait for the drawings
    asked = [(prompt, seed) for prompt in prompts for seed in how.seeds]
    work = _Work((1 + len(kept)) * 2 * len(asked))
    rows = []
    for adapter in (None, *(one.adapter for one in kept)):
        rows.append((yield from _draw(base, asked, adapter, ground, how, work)))
    fits = []
    for shown in rows:
        fits.append((yield from _read(reader, shown, ground, asked, _choices(prompts), work)))
    marks = _marks(eye, own, rows, kept, fits)
    yield Comparison(
        prompts=tuple(prompts),
        settings=how,
        rows=tuple(
            Row(step=step, pictures=tuple(one.image for one in shown))
            for step, shown in zip((None, *(one.step for one in kept)), rows, strict=True)
        ),
        base_prompts=fits[0],
        marks=tuple(marks),
        choice=rule.pick(marks, fits[0], least=reader.least, samples=len(samples)),
    )


@dataclass
class _Work:
    """Counts what is done."""

    steps: int
    step: int = 0

    def more(self, done: int) -> Step:
        self.step += done
        return Step(step=self.step, steps=self.steps)


def _ground(base: Base, one: Kept, images: Sequence[Image.Image]) -> str:
    """The ground that the adapters were trained on: everything is compared on that one."""
    about = adapters.read_about(one.adapter)
    if about is not None and about.background in base.profile.backgrounds:
        return about.background
    return choose_background(images, base.profile.backgrounds)


def _draw(
    base: Base,
    asked: Sequence[tuple[str, int]],
    adapter: bytes | None,
    ground: str,
    how: Settings,
    work: _Work,
) -> Generator[Step, None, list[Shown]]:
    """One row, batch by batch: nobody else may use the base within a batch, so no event comes there."""
    shown = []
    for start in range(0, len(asked), draw.BATCH):
        items = [
            draw.Item(prompt=prompt, adapter=adapter, seed=seed, cfg=how.cfg, background=ground)
            for prompt, seed in asked[start : start + draw.BATCH]
        ]
        for drawn in draw.draw(base, items, steps=how.steps):
            if isinstance(drawn, draw.Picture):
                shown.append(Shown(image=drawn.image, ground=drawn.background))
        yield work.more(len(items))
    return shown


def _read(
    reader: Reader,
    shown: Sequence[Shown],
    ground: str,
    asked: Sequence[tuple[str, int]],
    choices: Sequence[str],
    work: _Work,
) -> Generator[Step, None, np.ndarray]:
    """How well each drawing of a row fits its prompt [n]."""
    fits = []
    for one, (prompt, _) in zip(shown, asked, strict=True):
        others = [other for other in choices if other != prompt][:OTHER_PROMPTS]
        fits.append(reader.read(one, ground, [prompt, *others]))
        yield work.more(1)
    return np.array(fits)


def _choices(prompts: Sequence[str]) -> list[str]:
    """The prompts themselves, and as many other things as it takes to have OTHER_PROMPTS others for each."""
    spare = new_prompts(prompts, max(0, OTHER_PROMPTS + 1 - len(prompts)))
    return [*dict.fromkeys(prompts), *spare]


def _show(base: Base, images: Sequence[Image.Image], ground: str) -> list[Shown]:
    """Samples as large as the drawings: an eye takes another sharpness for another style."""
    colour = base.profile.backgrounds[ground]
    return [Shown(image=on_flat_ground(image, base.drawn_px, colour), ground=colour) for image in images]


def _marks(
    eye: Eye,
    samples: Sequence[Shown],
    rows: Sequence[Sequence[Shown]],
    kept: Sequence[Kept],
    fits: Sequence[np.ndarray],
) -> list[rule.Marks]:
    """All that was measured, for each checkpoint; the first row and the first fits are the bare base's."""
    own = eye.look(samples)
    mirrored = eye.look([Shown(image=ImageOps.mirror(one.image), ground=one.ground) for one in samples])
    bare = eye.look(rows[0])
    marks = []
    for one, shown, fit in zip(kept, rows[1:], fits[1:], strict=True):
        looks: Looks = eye.look(shown)
        marks.append(
            rule.Marks(
                step=one.step,
                style=likeness.style_closeness(looks.style, own.style, bare.style),
                prompt=fit,
                copied=likeness.copies(looks.content, own.content, mirrored.content),
                diversity=likeness.diversity(looks.content, own.content),
            )
        )
    return marks
