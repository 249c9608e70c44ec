"""Compares checkpoints: all draw the same prompts with the same seeds, are scored, and one is chosen.

``compare`` is a generator, so that its caller can draw for others in between. The marks are made by
``lora.evaluation.scorers`` and ``lora.evaluation.metrics``; the choice is ``lora.evaluation.checkpoint_choice``'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from lora.adapters import adapter_file
from lora.data.background import choose_background
from lora.data.dataset import on_flat_background, open_samples
from lora.drawing import sampling
from lora.evaluation import checkpoint_choice, metrics
from lora.evaluation.probe_prompts import new_prompts
from lora.evaluation.scorers import Features, FlatDrawing, Floats, ImageEncoder, PromptScorer
from lora.jobs import Sample, SavedCheckpoint, Score
from lora.models.base_model import Base

OTHER_PROMPTS = 5  # with which the right one is compared
LEAST_SAMPLES = 3  # of fewer, no likeness among themselves can be told


class CompareError(Exception):
    """Checkpoints cannot be compared; the message says why."""


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """How the checkpoints are made to draw. A picture takes about as long as ``steps`` and 9 denoising steps."""

    prompts: tuple[str, ...] = ()  # empty: the first ``count`` that no caption holds
    count: int = 8
    seeds: tuple[int, ...] = (0,)
    cfg: float = 5.0
    steps: int = 10


@dataclass(frozen=True, kw_only=True)
class CompareProgress:
    """``step`` of ``steps`` pieces of work are done; the base is free until the next one is asked for."""

    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class CheckpointDrawings:
    """The drawings of one checkpoint (or of the bare base: step None), one for each prompt and seed."""

    step: int | None
    pictures: tuple[Image.Image, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of it. Rows: the bare base, then the checkpoints in the order of their steps.

    Pictures go prompt by prompt, and within a prompt seed by seed.
    """

    prompts: tuple[str, ...]
    settings: CompareSettings
    rows: tuple[CheckpointDrawings, ...]
    base_prompts: Floats  # how well the bare base follows them [n pictures]
    marks: tuple[checkpoint_choice.Measurements, ...] = field(repr=False)
    choice: checkpoint_choice.Choice

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
    checkpoints: Sequence[SavedCheckpoint],
    eye: ImageEncoder,
    reader: PromptScorer,
    settings: CompareSettings | None = None,
) -> Iterator[CompareProgress | Comparison]:
    """Draw with every checkpoint and the bare base, score the drawings and choose; the Comparison comes last.

    Between two events the caller may use the base. Raises ChooseError, and JobError (bad-picture, bad-adapter,
    other-base, not-a-number).
    """
    how = settings or CompareSettings()
    kept = sorted(checkpoints, key=lambda one: one.step)
    if not kept:
        raise CompareError("there are no checkpoints to compare")
    if len(samples) < LEAST_SAMPLES:
        raise CompareError(f"at least {LEAST_SAMPLES} samples are needed to compare checkpoints")
    captions = [sample.caption for sample in samples]
    prompts = how.prompts or tuple(new_prompts(captions, how.count))
    images = open_samples(samples)
    background = _background(base, kept[0], images)
    own = _show(base, images, background)
    del images  # as large as they were sent; at the base's own size they can wait for the drawings
    asked = [(prompt, seed) for prompt in prompts for seed in how.seeds]
    work = _Work((1 + len(kept)) * 2 * len(asked))
    rows = []
    for adapter in (None, *(one.adapter for one in kept)):
        rows.append((yield from _draw(base, asked, adapter, background, how, work)))
    fits = []
    for shown in rows:
        fits.append((yield from _read(reader, shown, background, asked, _choices(prompts), work)))
    marks = _marks(eye, own, rows, kept, fits)
    yield Comparison(
        prompts=tuple(prompts),
        settings=how,
        rows=tuple(
            CheckpointDrawings(step=step, pictures=tuple(one.image for one in shown))
            for step, shown in zip((None, *(one.step for one in kept)), rows, strict=True)
        ),
        base_prompts=fits[0],
        marks=tuple(marks),
        choice=checkpoint_choice.choose_checkpoint(
            marks, fits[0], least=reader.min_share, samples=len(samples)
        ),
    )


@dataclass
class _Work:
    """Counts what is done."""

    steps: int
    step: int = 0

    def more(self, done: int) -> CompareProgress:
        self.step += done
        return CompareProgress(step=self.step, steps=self.steps)


def _background(base: Base, one: SavedCheckpoint, images: Sequence[Image.Image]) -> str:
    """The background that the adapters were trained on: everything is compared on that one."""
    about = adapter_file.read_info(one.adapter)
    if about is not None and about.background in base.profile.backgrounds:
        return about.background
    return choose_background(images, base.profile.backgrounds)


def _draw(
    base: Base,
    asked: Sequence[tuple[str, int]],
    adapter: bytes | None,
    background: str,
    how: CompareSettings,
    work: _Work,
) -> Generator[CompareProgress, None, list[FlatDrawing]]:
    """One row, batch by batch: nobody else may use the base within a batch, so no event comes there."""
    shown = []
    for start in range(0, len(asked), sampling.MAX_BATCH):
        items = [
            sampling.Item(prompt=prompt, adapter=adapter, seed=seed, cfg=how.cfg, background=background)
            for prompt, seed in asked[start : start + sampling.MAX_BATCH]
        ]
        for drawn in sampling.draw(base, items, steps=how.steps):
            if isinstance(drawn, sampling.Picture):
                shown.append(FlatDrawing(image=drawn.image, background_colour=drawn.background_colour))
        yield work.more(len(items))
    return shown


def _read(
    reader: PromptScorer,
    shown: Sequence[FlatDrawing],
    background: str,
    asked: Sequence[tuple[str, int]],
    choices: Sequence[str],
    work: _Work,
) -> Generator[CompareProgress, None, np.ndarray]:
    """How well each drawing of a row fits its prompt [n]."""
    fits = []
    for one, (prompt, _) in zip(shown, asked, strict=True):
        others = [other for other in choices if other != prompt][:OTHER_PROMPTS]
        fits.append(reader.score(one, background, [prompt, *others]))
        yield work.more(1)
    return np.array(fits)


def _choices(prompts: Sequence[str]) -> list[str]:
    """The prompts themselves, and as many other things as it takes to have OTHER_PROMPTS others for each."""
    spare = new_prompts(prompts, max(0, OTHER_PROMPTS + 1 - len(prompts)))
    return [*dict.fromkeys(prompts), *spare]


def _show(base: Base, images: Sequence[Image.Image], background: str) -> list[FlatDrawing]:
    """Samples as large as the drawings: an eye takes another sharpness for another style."""
    colour = base.profile.backgrounds[background]
    return [
        FlatDrawing(image=on_flat_background(image, base.drawn_px, colour), background_colour=colour)
        for image in images
    ]


def _marks(
    eye: ImageEncoder,
    samples: Sequence[FlatDrawing],
    rows: Sequence[Sequence[FlatDrawing]],
    kept: Sequence[SavedCheckpoint],
    fits: Sequence[np.ndarray],
) -> list[checkpoint_choice.Measurements]:
    """All that was measured, for each checkpoint; the first row and the first fits are the bare base's."""
    own = eye.features(samples)
    mirrored = eye.features(
        [
            FlatDrawing(image=ImageOps.mirror(one.image), background_colour=one.background_colour)
            for one in samples
        ]
    )
    bare = eye.features(rows[0])
    marks = []
    for one, shown, fit in zip(kept, rows[1:], fits[1:], strict=True):
        looks: Features = eye.features(shown)
        marks.append(
            checkpoint_choice.Measurements(
                step=one.step,
                style=metrics.style_closeness(looks.style, own.style, bare.style),
                prompt=fit,
                copied=metrics.copies(looks.content, own.content, mirrored.content),
                diversity=metrics.diversity(looks.content, own.content),
            )
        )
    return marks
