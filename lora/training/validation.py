"""Held-out samples: pictures that nothing is learned from, to see when a training only learns by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from lora.jobs import Sample
from lora.models.base_model import Base
from lora.training.loss import EncodedSamples, StepNoise, denoising_errors

TIMESTEPS_PER_SAMPLE = 8  # noise levels that each held-out sample is judged at
BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Validated:
    """How a training stands after ``step`` steps: the adapter, and its loss on the held-out samples, if any."""

    step: int
    adapter: bytes = field(repr=False)
    loss: float | None


def split_validation(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from and, chosen by ``seed``, samples to hold out: a share of them, but at least one.

    Raises ValueError if nothing would be left to learn from.
    """
    if not share:
        return list(samples), []
    away = max(1, round(share * len(samples)))
    if away >= len(samples):
        raise ValueError(f"of {len(samples)} samples, {away} held out leave none to learn from")
    chance = torch.Generator().manual_seed(seed)
    chosen = set(torch.randperm(len(samples), generator=chance)[:away].tolist())
    kept = [sample for number, sample in enumerate(samples) if number not in chosen]
    return kept, [samples[number] for number in sorted(chosen)]


@torch.no_grad()
def validation_loss(base: Base, lessons: EncodedSamples) -> float:
    """The denoising error on these samples, with the same noise and levels every time, unweighted.

    As kohya's sd-scripts do it (PR 1903): fresh noise would drown the difference between two checkpoints. The
    same lots are drawn for every training, so that two of them can be compared. The denoiser must already
    use the adapter.
    """
    lots = _validation_noise(base, lessons)
    errors = [
        denoising_errors(base, lessons, lots.part(slice(start, start + BATCH)))
        for start in range(0, len(lots.picked), BATCH)
    ]
    return float(torch.cat(errors).mean())


def _validation_noise(base: Base, lessons: EncodedSamples) -> StepNoise:
    """Every sample at LOOKS levels, evenly spread, as it is and with its caption."""
    count = len(lessons.texts) * TIMESTEPS_PER_SAMPLE
    levels = len(base.scheduler.alphas_cumprod)
    times = ((torch.arange(TIMESTEPS_PER_SAMPLE) + 0.5) / TIMESTEPS_PER_SAMPLE * levels).long()
    shape = (2, count, *lessons.mean.shape[2:])
    spread, noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    never = torch.zeros(count, dtype=torch.bool)
    return StepNoise(
        picked=torch.arange(len(lessons.texts)).repeat_interleave(TIMESTEPS_PER_SAMPLE),
        mirrored=never,
        dropped=never,
        times=times.repeat(len(lessons.texts)),
        spread=spread,
        noise=noise,
    )
