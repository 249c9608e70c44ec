"""Compares checkpoints: all draw the same prompts with the same seeds, are measured, and one is chosen.

``compare`` is a generator, so that its caller can draw for other people in between. ``lora.evaluation.scorers`` and
``lora.evaluation.metrics`` measure, ``lora.evaluation.checkpoint_choice`` chooses.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from lora.adapters import adapter_file
from lora.data.background import choose_background
from lora.data.dataset import SamplePictures, on_flat_background
from lora.drawing import sampling
from lora.evaluation import checkpoint_choice, metrics
from lora.evaluation.probe_prompts import new_prompts
from lora.evaluation.scorers import Features, FlatDrawing, Floats, ImageEncoder, PromptScorer
from lora.jobs import Sample, SavedCheckpoint, Score
from lora.models.base_model import Base

OTHER_PROMPTS = 5  # that the prompt of a drawing is compared with
LEAST_SAMPLES = 3  # with fewer, the similarity of samples to each other cannot be measured


class CompareError(Exception):
    """Checkpoints cannot be compared; the message says why."""


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """How the checkpoints draw. Drawing and measuring a picture take about ``steps`` + 9 denoising steps."""

    prompts: tuple[str, ...] = ()  # empty: the first ``count`` probe prompts with no word of a caption
    count: int = 8
    seeds: tuple[int, ...] = (0,)
    cfg: float = 5.0
    steps: int = 10


@dataclass(frozen=True, kw_only=True)
class CompareProgress:
    """``step`` of ``steps`` pieces of work are done. The base is free until the next event is asked for."""

    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class CheckpointDrawings:
    """The drawings of one checkpoint, or of the bare base (``step`` is None).

    They go prompt by prompt, and within a prompt seed by seed.
    """

    step: int | None
    pictures: tuple[Image.Image, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result. ``drawings`` has the bare base first, then the checkpoints in the order of their steps."""

    prompts: tuple[str, ...]
    settings: CompareSettings
    drawings: tuple[CheckpointDrawings, ...]
    base_prompts: Floats  # prompt scores of the bare base's drawings [n pictures]
    measurements: tuple[checkpoint_choice.Measurements, ...] = field(repr=False)
    choice: checkpoint_choice.Choice

    @property
    def base_prompt(self) -> float:
        """The bare base's mean prompt score."""
        return float(self.base_prompts.mean())

    @property
    def scores(self) -> tuple[Score, ...]:
        """The mean measurements of each checkpoint."""
        return tuple(one.score() for one in self.measurements)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The code of the reason for each of ``scores``, in their order."""
        return tuple(self.choice.reason_of(one.step).code.value for one in self.measurements)

    @property
    def on_sheet(self) -> list[CheckpointDrawings]:
        """The drawings of the first seed only: one for each prompt."""
        seeds = len(self.settings.seeds)
        return [CheckpointDrawings(step=one.step, pictures=one.pictures[::seeds]) for one in self.drawings]


def compare(
    base: Base,
    samples: Sequence[Sample],
    checkpoints: Sequence[SavedCheckpoint],
    encoder: ImageEncoder,
    scorer: PromptScorer,
    settings: CompareSettings | None = None,
) -> Iterator[CompareProgress | Comparison]:
    """Draw with every checkpoint and the bare base, measure the drawings and choose; the Comparison comes last.

    Between two events the caller may use the base. Raises CompareError, and JobError (bad-picture, bad-adapter,
    other-base, not-a-number).
    """
    settings = settings or CompareSettings()
    checkpoints = sorted(checkpoints, key=lambda one: one.step)
    if not checkpoints:
        raise CompareError("there are no checkpoints to compare")
    if len(samples) < LEAST_SAMPLES:
        raise CompareError(f"at least {LEAST_SAMPLES} samples are needed to compare checkpoints")
    # What is drawn, and the samples as the drawings will be
    prompts = settings.prompts or tuple(new_prompts([sample.caption for sample in samples], settings.count))
    asked = [(prompt, seed) for prompt in prompts for seed in settings.seeds]
    images = SamplePictures(samples)
    background = _background(base, checkpoints[0], images)
    samples_shown = _at_drawn_size(base, images, background)
    # Draw
    work = _Work((1 + len(checkpoints)) * 2 * len(asked))
    drawings = []
    for adapter in (None, *(one.adapter for one in checkpoints)):
        drawings.append((yield from _draw(base, asked, adapter, background, settings, work)))
    # Measure
    prompt_scores = []
    for shown in drawings:
        prompt_scores.append((yield from _score(scorer, shown, background, asked, _choices(prompts), work)))
    measurements = _measure(encoder, samples_shown, drawings, checkpoints, prompt_scores)
    # Choose
    choice = checkpoint_choice.choose_checkpoint(
        measurements, prompt_scores[0], min_share=scorer.min_share, samples=len(samples)
    )
    yield Comparison(
        prompts=tuple(prompts),
        settings=settings,
        drawings=tuple(
            CheckpointDrawings(step=step, pictures=tuple(one.image for one in shown))
            for step, shown in zip((None, *(one.step for one in checkpoints)), drawings, strict=True)
        ),
        base_prompts=prompt_scores[0],
        measurements=tuple(measurements),
        choice=choice,
    )


@dataclass
class _Work:
    """Counts the pieces of work that are done."""

    steps: int
    step: int = 0

    def more(self, done: int) -> CompareProgress:
        self.step += done
        return CompareProgress(step=self.step, steps=self.steps)


def _background(base: Base, one: SavedCheckpoint, images: Sequence[Image.Image]) -> str:
    """The name of the background that the adapters were trained on; everything is drawn on it."""
    about = adapter_file.read_info(one.adapter)
    if about is not None and about.background in base.profile.backgrounds:
        return about.background
    return choose_background(images, base.profile.backgrounds)


def _draw(
    base: Base,
    asked: Sequence[tuple[str, int]],
    adapter: bytes | None,
    background: str,
    settings: CompareSettings,
    work: _Work,
) -> Generator[CompareProgress, None, list[FlatDrawing]]:
    """The drawings of one adapter. An event comes after each batch: within a batch the base is in use."""
    drawings = []
    for start in range(0, len(asked), sampling.MAX_BATCH):
        items = [
            sampling.Item(prompt=prompt, adapter=adapter, seed=seed, cfg=settings.cfg, background=background)
            for prompt, seed in asked[start : start + sampling.MAX_BATCH]
        ]
        for drawn in sampling.draw(base, items, steps=settings.steps):
            if isinstance(drawn, sampling.Picture):
                drawings.append(FlatDrawing(image=drawn.image, background_colour=drawn.background_colour))
        yield work.more(len(items))
    return drawings


def _score(
    scorer: PromptScorer,
    shown: Sequence[FlatDrawing],
    background: str,
    asked: Sequence[tuple[str, int]],
    choices: Sequence[str],
    work: _Work,
) -> Generator[CompareProgress, None, np.ndarray]:
    """The prompt score of each drawing of one adapter [n]."""
    scores = []
    for one, (prompt, _) in zip(shown, asked, strict=True):
        others = [other for other in choices if other != prompt][:OTHER_PROMPTS]
        scores.append(scorer.score(one, background, [prompt, *others]))
        yield work.more(1)
    return np.array(scores)


def _choices(prompts: Sequence[str]) -> list[str]:
    """The prompts, and as many other things as are needed to give each prompt OTHER_PROMPTS others."""
    spare = new_prompts(prompts, max(0, OTHER_PROMPTS + 1 - len(prompts)))
    return [*dict.fromkeys(prompts), *spare]


def _at_drawn_size(base: Base, images: Sequence[Image.Image], background: str) -> list[FlatDrawing]:
    """Samples in the size of the drawings: an encoder takes another sharpness for another style."""
    colour = base.profile.backgrounds[background]
    return [
        FlatDrawing(image=on_flat_background(image, base.drawn_px, colour), background_colour=colour)
        for image in images
    ]


def _measure(
    encoder: ImageEncoder,
    samples: Sequence[FlatDrawing],
    drawings: Sequence[Sequence[FlatDrawing]],
    checkpoints: Sequence[SavedCheckpoint],
    prompt_scores: Sequence[np.ndarray],
) -> list[checkpoint_choice.Measurements]:
    """All measurements of each checkpoint. ``drawings`` and ``prompt_scores`` have the bare base first."""
    own = encoder.features(samples)
    mirrored = encoder.features(
        [
            FlatDrawing(image=ImageOps.mirror(one.image), background_colour=one.background_colour)
            for one in samples
        ]
    )
    bare = encoder.features(drawings[0])
    measurements = []
    for one, shown, scores in zip(checkpoints, drawings[1:], prompt_scores[1:], strict=True):
        features: Features = encoder.features(shown)
        measurements.append(
            checkpoint_choice.Measurements(
                step=one.step,
                style=metrics.style_closeness(features.style, own.style, bare.style),
                prompt=scores,
                copied=metrics.copies(features.content, own.content, mirrored.content),
                diversity=metrics.diversity(features.content, own.content),
            )
        )
    return measurements
