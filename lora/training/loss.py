"""The loss of one training step: samples are noised, and the denoiser's prediction is compared with its target.

All random values of a step come from (seed, step) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lora.models.base_model import Base
from lora.models.diffusion import add_noise, min_snr_weights, prediction_target
from lora.training.plan import Plan
from lora.training.timesteps import timesteps

WHOLE = slice(None)


@dataclass(frozen=True, kw_only=True)
class EncodedSamples:
    """The n samples after VAE and text encoder. The latents' first index is 0, or 1 for the mirrored picture.

    Without mirrored pictures (``plan.random_flip``) there is no 1.
    """

    latent_mean: Tensor  # [1 or 2, n, channels, h, w]
    latent_std: Tensor  # [1 or 2, n, channels, h, w]
    text_embeddings: Tensor  # [n, 77, width]
    empty_embedding: Tensor  # [77, width], of the empty caption


@dataclass(frozen=True, kw_only=True)
class StepNoise:
    """The random values for n pictures. They are on the CPU: a GPU's generator would draw other ones."""

    indices: Tensor  # [n], which samples
    flipped: Tensor  # [n] bool, whether the mirrored picture is used
    caption_dropped: Tensor  # [n] bool, whether the empty caption is used
    timesteps: Tensor  # [n], of the base's scheduler
    vae_noise: Tensor  # [n, channels, h, w], for the sample from the VAE's distribution
    noise: Tensor  # [n, channels, h, w], that the denoiser must find

    def part(self, rows: slice) -> StepNoise:
        """The values for some of the pictures."""
        return StepNoise(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the denoiser is shown of n pictures, on its device. The first dimension of each tensor is n."""

    x_0: Tensor  # [n, channels, h, w]
    noise: Tensor  # [n, channels, h, w]
    timesteps: Tensor  # [n]
    text_embeddings: Tensor  # [n, 77, width]

    def part(self, rows: slice) -> Shown:
        """Some of the pictures."""
        return Shown(**{name: values[rows] for name, values in vars(self).items()})


def denoising_loss(
    base: Base, encoded: EncodedSamples, plan: Plan, step: int, micro_batch: slice = WHOLE
) -> Tensor:
    """The loss of one step: ``sum_i w_i mse_i / batch_size`` over the pictures i of ``micro_batch``.

    ``mse_i`` is from ``denoising_errors``, ``w_i / batch_size`` from ``loss_weights``. The losses of all micro-batches
    of a batch add up to the loss of the whole batch.
    """
    values = step_noise(base, encoded, plan, step).part(micro_batch)
    errors = denoising_errors(base, encoded, values)
    return (errors * loss_weights(base, plan, values.timesteps)).sum()


def step_noise(base: Base, encoded: EncodedSamples, plan: Plan, step: int) -> StepNoise:
    """The random values of a step's whole batch.

    ``plan.noise_offset`` o (Guttenberg 2023, crosslabs.org) adds one more random number to each channel of a picture:
    ``noise = e + o * e_channel``.
    """
    generator = torch.Generator().manual_seed((plan.seed * 1_000_003 + step) % 2**63)
    size = plan.batch_size
    flipped = (torch.rand(size, generator=generator) < 0.5) & plan.random_flip
    caption_dropped = torch.rand(size, generator=generator) < plan.caption_dropout
    levels = timesteps(plan.timestep_sampling, size, base.scheduler.alphas_cumprod, generator)
    shape = (2, size, *encoded.latent_mean.shape[2:])
    vae_noise, noise = torch.randn(shape, generator=generator)
    noise = noise + plan.noise_offset * torch.randn((size, shape[2], 1, 1), generator=generator)
    return StepNoise(
        indices=torch.tensor(sample_indices(plan, step, len(encoded.text_embeddings))),
        flipped=flipped,
        caption_dropped=caption_dropped,
        timesteps=levels,
        vae_noise=vae_noise,
        noise=noise,
    )


def denoising_errors(base: Base, encoded: EncodedSamples, step_values: StepNoise) -> Tensor:
    """The mean squared error [n] of the denoiser on each picture, in float32: ``errors_of`` what is ``shown``."""
    return errors_of(base, shown(base, encoded, step_values))


def shown(base: Base, encoded: EncodedSamples, step_values: StepNoise) -> Shown:
    """The samples of a step: ``x_0 = latent_mean + latent_std * vae_noise``, and the texts with some left out."""
    device = base.device
    flipped, indices = step_values.flipped.long().to(device), step_values.indices.to(device)
    mean, std = encoded.latent_mean[flipped, indices], encoded.latent_std[flipped, indices]
    return Shown(
        x_0=mean + std * step_values.vae_noise.to(device),
        noise=step_values.noise.to(device),
        timesteps=step_values.timesteps.to(device),
        text_embeddings=torch.where(
            step_values.caption_dropped.view(-1, 1, 1).to(device),
            encoded.empty_embedding,
            encoded.text_embeddings[indices],
        ),
    )


def errors_of(base: Base, given: Shown) -> Tensor:
    """The mean squared error [n] of the denoiser, in float32: ``mean((predict(x_t, t, text) - target)^2)``.

    ``x_t`` is from ``add_noise``. The target is the noise or the velocity (``prediction_target``), as the base's
    scheduler says.
    """
    alpha_bar = base.scheduler.alphas_cumprod.to(base.device)[given.timesteps]
    x_t = add_noise(given.x_0, given.noise, alpha_bar)
    predicted = base.predict(x_t, given.timesteps, given.text_embeddings)
    target = prediction_target(given.x_0, given.noise, alpha_bar, base.scheduler.config.prediction_type)
    return (predicted - target).square().mean(dim=(1, 2, 3))


def loss_weights(base: Base, plan: Plan, timesteps: Tensor) -> Tensor:
    """What each error [n] counts in the loss: 1, or the min-SNR weight with ``plan.snr_gamma``; by the batch size."""
    alpha_bar = base.scheduler.alphas_cumprod[timesteps].to(base.device)
    if plan.snr_gamma is None:
        return torch.full_like(alpha_bar, 1 / plan.batch_size)
    weights = min_snr_weights(alpha_bar, plan.snr_gamma, base.scheduler.config.prediction_type)
    return weights / plan.batch_size


def sample_indices(plan: Plan, step: int, count: int) -> list[int]:
    """The samples of a step's batch, of ``count`` samples in all.

    Each epoch goes through all samples in a new order. A batch may begin in one epoch and end in the next.
    """
    first = step * plan.batch_size
    return [
        _epoch_order(plan.seed, position // count, count)[position % count]
        for position in range(first, first + plan.batch_size)
    ]


def _epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed((seed * 7_368_787 + epoch) % 2**63)
    return torch.randperm(count, generator=generator).tolist()
