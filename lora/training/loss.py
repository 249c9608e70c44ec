"""What a step shows the denoiser, and how far off its answer is. All of it comes from (seed, step) alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lora.models.base_model import Base
from lora.training.plan import Plan

WHOLE = slice(None)


@dataclass(frozen=True, kw_only=True)
class EncodedSamples:
    """The samples as the denoiser sees them, with a second, mirrored, half in ``mean`` and ``std``."""

    mean: Tensor  # [2, n, channels, h, w]
    std: Tensor
    texts: Tensor  # [n, 77, width]
    empty: Tensor  # [77, width]


@dataclass(frozen=True, kw_only=True)
class StepNoise:
    """What chance has drawn for n pictures, on the CPU, so that every device draws the same."""

    picked: Tensor  # [n] which samples
    mirrored: Tensor  # [n] bool
    dropped: Tensor  # [n] bool: shown without their captions
    times: Tensor  # [n] noise levels, as steps of the base's scheduler
    spread: Tensor  # [n, channels, h, w] what the VAE leaves open
    noise: Tensor  # [n, channels, h, w]

    def part(self, which: slice) -> StepNoise:
        """The lots of some of the pictures."""
        return StepNoise(**{key: value[which] for key, value in vars(self).items()})


def denoising_loss(base: Base, lessons: EncodedSamples, how: Plan, step: int, part: slice = WHOLE) -> Tensor:
    """The loss of one step: how far the denoiser is from what it should predict on freshly noised samples.

    With ``part``, the share of that loss that these pictures of the batch make up: the shares of all parts
    add up to the loss, whoever works them out. ``snr_gamma`` weights the noise levels as in Hang et al. 2023
    (arXiv 2303.09556).
    """
    return loss_of(base, lessons, how, step_noise(base, lessons, how, step).part(part))


def loss_of(base: Base, lessons: EncodedSamples, how: Plan, lots: StepNoise) -> Tensor:
    """The loss on what chance has drawn, or the share of it that these pictures of the batch make up."""
    errors = denoising_errors(base, lessons, lots)
    return (errors * _snr_weights(base, how, lots.times)).sum() / how.batch_size


def step_noise(base: Base, lessons: EncodedSamples, how: Plan, step: int) -> StepNoise:
    """What a step's whole batch is shown. ``noise_offset`` is that of Guttenberg 2023 (crosslabs.org)."""
    chance = torch.Generator().manual_seed((how.seed * 1_000_003 + step) % 2**63)
    size, levels = how.batch_size, len(base.scheduler.alphas_cumprod)
    mirrored = (torch.rand(size, generator=chance) < 0.5) & how.random_flip
    dropped = torch.rand(size, generator=chance) < how.caption_dropout
    if how.timestep_sampling == "uniform":
        times = torch.randint(0, levels, (size,), generator=chance)
    else:  # spread over the batch, so that no step sees low noise or high noise alone
        level = (torch.rand(1, generator=chance) + torch.arange(size) / size) % 1
        times = (level * levels).long()
    shape = (2, size, *lessons.mean.shape[2:])
    spread, noise = torch.randn(shape, generator=chance)
    noise = noise + how.noise_offset * torch.randn((size, shape[2], 1, 1), generator=chance)
    picked = torch.tensor(sample_indices(how, step, len(lessons.texts)))
    return StepNoise(
        picked=picked, mirrored=mirrored, dropped=dropped, times=times, spread=spread, noise=noise
    )


def denoising_errors(base: Base, lessons: EncodedSamples, lots: StepNoise) -> Tensor:
    """The mean squared error [n] of the denoiser on each picture, in float32.

    What it should predict, noise or velocity (Salimans & Ho 2022, arXiv 2202.00512), is the base's scheduler's
    to say.
    """
    device = base.device
    half, picked, times = lots.mirrored.long().to(device), lots.picked.to(device), lots.times.to(device)
    noise = lots.noise.to(device)
    signal = base.scheduler.alphas_cumprod.to(device)[times].view(-1, 1, 1, 1)
    clean = lessons.mean[half, picked] + lessons.std[half, picked] * lots.spread.to(device)
    noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    texts = torch.where(lots.dropped.view(-1, 1, 1).to(device), lessons.empty, lessons.texts[picked])
    predicted = base.predict(noisy, times, texts)
    wanted = noise
    if base.scheduler.config.prediction_type == "v_prediction":
        wanted = signal.sqrt() * noise - (1 - signal).sqrt() * clean
    return (predicted - wanted).square().mean(dim=(1, 2, 3))


def _snr_weights(base: Base, how: Plan, times: Tensor) -> Tensor:
    """min-SNR weights [n] of the noise levels, or ones."""
    signal = base.scheduler.alphas_cumprod[times].to(base.device)
    if how.snr_gamma is None:
        return torch.ones_like(signal)
    ratio = signal / (1 - signal)
    clipped = ratio.clamp(max=how.snr_gamma)
    return clipped / (ratio + 1 if base.scheduler.config.prediction_type == "v_prediction" else ratio)


def sample_indices(how: Plan, step: int, count: int) -> list[int]:
    """Which samples a step learns from: all in a new order, then all again, across the borders of batches."""
    first = step * how.batch_size
    return [
        _order(how.seed, place // count, count)[place % count]
        for place in range(first, first + how.batch_size)
    ]


def _order(seed: int, epoch: int, count: int) -> list[int]:
    chance = torch.Generator().manual_seed((seed * 7_368_787 + epoch) % 2**63)
    return torch.randperm(count, generator=chance).tolist()
