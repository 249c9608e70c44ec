"""The formulas of a diffusion model: noising, the targets that a denoiser predicts, and min-SNR weights.

``alpha_bar`` is the share of the signal's variance that is left at a timestep: ``scheduler.alphas_cumprod[t]``.
DDPM: Ho et al. 2020, arXiv 2006.11239. Velocity: Salimans & Ho 2022, arXiv 2202.00512.

In all functions, ``alpha_bar`` is [n] or a single number (a 0-dimensional tensor), and latents are
[n, channels, h, w].
"""

from __future__ import annotations

from torch import Tensor

V_PREDICTION = "v_prediction"  # diffusers' name; the other prediction type is "epsilon"
SMALLEST_NOISE = 1e-8  # keeps the signal-to-noise ratio finite


def add_noise(x_0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """Noised latents: ``x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise``."""
    signal, sigma = _scales(alpha_bar)
    return signal * x_0 + sigma * noise


def velocity(x_0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """The target of v-prediction: ``v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x_0``."""
    signal, sigma = _scales(alpha_bar)
    return signal * noise - sigma * x_0


def velocity_from_noise(x_t: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """A predicted noise as a predicted velocity: ``v = (noise - sqrt(1 - alpha_bar) x_t) / sqrt(alpha_bar)``.

    It follows from ``add_noise`` and ``velocity`` without ``x_0``. ``alpha_bar`` must be over 0.
    """
    signal, sigma = _scales(alpha_bar)
    return (noise - sigma * x_t) / signal


def prediction_target(x_0: Tensor, noise: Tensor, alpha_bar: Tensor, prediction_type: str) -> Tensor:
    """What the denoiser should predict: the velocity (``v_prediction``) or the noise (``epsilon``)."""
    return velocity(x_0, noise, alpha_bar) if prediction_type == V_PREDICTION else noise


def signal_to_noise(alpha_bar: Tensor) -> Tensor:
    """``SNR = alpha_bar / (1 - alpha_bar)``."""
    return alpha_bar / (1 - alpha_bar).clamp_min(SMALLEST_NOISE)


def min_snr_weights(alpha_bar: Tensor, gamma: float, prediction_type: str) -> Tensor:
    """Weights [n] of the squared errors, Hang et al. 2023 (arXiv 2303.09556).

    ``min(SNR, gamma) / (SNR + 1)`` for v_prediction, ``min(SNR, gamma) / SNR`` for epsilon.
    """
    snr = signal_to_noise(alpha_bar)
    return snr.clamp(max=gamma) / (snr + 1 if prediction_type == V_PREDICTION else snr)


def _scales(alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """``sqrt(alpha_bar)`` and ``sqrt(1 - alpha_bar)``, in a shape that multiplies latents."""
    alpha_bar = alpha_bar.view(-1, 1, 1, 1)
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
