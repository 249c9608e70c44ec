"""Which noise levels a step of training shows.

``stratified``: evenly spread over the batch, so that every step has low and high noise. ``uniform``: each by itself, as
in the reference script. ``log-snr M``: the logarithm of the signal-to-noise ratio is normally distributed around M with
standard deviation 2, and evenly spread over the batch, too. A style is decided at the noisy levels (Choi et al. 2024,
arXiv 2411.14793, who take M = -6 for latents of 128 x 128; the same noise hides more of smaller latents).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lora.models.diffusion import signal_to_noise

LOG_SNR = "log-snr "
SPREAD = 2.0  # standard deviation of the log-SNR


def timesteps(sampling: str, size: int, alphas_cumprod: Tensor, generator: torch.Generator) -> Tensor:
    """Random timesteps [size] of a scheduler with these ``alphas_cumprod`` [T]."""
    levels = len(alphas_cumprod)
    if sampling == "uniform":
        return torch.randint(0, levels, (size,), generator=generator)
    position = (torch.rand(1, generator=generator) + torch.arange(size) / size) % 1
    if sampling.startswith(LOG_SNR):
        return nearest(float(sampling.removeprefix(LOG_SNR)) + SPREAD * normal(position), alphas_cumprod)
    return (position * levels).long()


def normal(position: Tensor) -> Tensor:
    """The values of a standard normal distribution that shares ``position``, in [0, 1), lie below."""
    return torch.special.ndtri(position.double().clamp(1e-6, 1 - 1e-6))


def nearest(log_snr: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The timesteps whose log-SNR is nearest; the ends for what no timestep has."""
    known = signal_to_noise(alphas_cumprod.double().cpu()).clamp_min(1e-12).log()
    return (log_snr[:, None] - known[None, :]).abs().argmin(dim=1)
