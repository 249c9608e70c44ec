"""Validation: the loss on held-out samples, which are never trained on, shows when a training overfits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from lora.jobs import Sample
from lora.models.base_model import Base
from lora.training.loss import EncodedSamples, StepNoise, denoising_errors

TIMESTEPS_PER_SAMPLE = 8  # at which the loss of each held-out sample is taken
BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Validated:
    """The event of a validation after ``step`` steps: the adapter, and its loss on the held-out samples, if any."""

    step: int
    adapter: bytes = field(repr=False)
    loss: float | None


def split_validation(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Split into training and validation samples: a random ``share`` is held out, at least one sample.

    A share of 0 holds none out. Raises ValueError if no sample would be left to train on.
    """
    if not share:
        return list(samples), []
    count = max(1, round(share * len(samples)))
    if count >= len(samples):
        raise ValueError(f"of {len(samples)} samples, {count} held out leave none to learn from")
    generator = torch.Generator().manual_seed(seed)
    held_out = set(torch.randperm(len(samples), generator=generator)[:count].tolist())
    training = [sample for index, sample in enumerate(samples) if index not in held_out]
    return training, [samples[index] for index in sorted(held_out)]


@torch.no_grad()
def validation_loss(base: Base, encoded: EncodedSamples) -> float:
    """The mean denoising error on the validation samples, without min-SNR weights.

    Noise and timesteps are the same each time, as in kohya's sd-scripts (PR 1903): fresh noise would change the loss
    more than a few steps of training do. They are also the same in all trainings, so that trainings can be compared.
    The denoiser must already use the adapter.
    """
    values = _validation_noise(base, encoded)
    errors = [
        denoising_errors(base, encoded, values.part(slice(start, start + BATCH)))
        for start in range(0, len(values.indices), BATCH)
    ]
    return float(torch.cat(errors).mean())


def _validation_noise(base: Base, encoded: EncodedSamples) -> StepNoise:
    """Each sample, not mirrored and with its caption, at TIMESTEPS_PER_SAMPLE evenly spaced timesteps."""
    samples = len(encoded.text_embeddings)
    count = samples * TIMESTEPS_PER_SAMPLE
    train_timesteps = len(base.scheduler.alphas_cumprod)
    timesteps = ((torch.arange(TIMESTEPS_PER_SAMPLE) + 0.5) / TIMESTEPS_PER_SAMPLE * train_timesteps).long()
    shape = (2, count, *encoded.latent_mean.shape[2:])
    vae_noise, noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    never = torch.zeros(count, dtype=torch.bool)
    return StepNoise(
        indices=torch.arange(samples).repeat_interleave(TIMESTEPS_PER_SAMPLE),
        flipped=never,
        caption_dropped=never,
        timesteps=timesteps.repeat(samples),
        vae_noise=vae_noise,
        noise=noise,
    )
