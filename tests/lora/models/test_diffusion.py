"""The formulas of diffusion agree with diffusers' schedulers, with and without zero terminal SNR."""

import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor

from lora.models import diffusion

X_0, NOISE = torch.randn(2, 5, 4, 8, 8, generator=torch.Generator().manual_seed(0))
TIMESTEPS = torch.tensor([0, 1, 400, 900, 998])


@pytest.fixture(params=[False, True], ids=["usual", "zero terminal SNR"])
def scheduler(request: pytest.FixtureRequest) -> DDIMScheduler:
    return DDIMScheduler(beta_schedule="scaled_linear", rescale_betas_zero_snr=request.param)


def alpha_bar(scheduler: DDIMScheduler) -> Tensor:
    return scheduler.alphas_cumprod[TIMESTEPS]


def test_noise_is_added_as_in_diffusers(scheduler: DDIMScheduler) -> None:
    """x_t for a batch of timesteps, and for one timestep as a plain number."""
    noisy = scheduler.add_noise(X_0, NOISE, TIMESTEPS)
    torch.testing.assert_close(diffusion.add_noise(X_0, NOISE, alpha_bar(scheduler)), noisy)
    single = diffusion.add_noise(X_0[2:3], NOISE[2:3], scheduler.alphas_cumprod[400])
    torch.testing.assert_close(single, noisy[2:3])


def test_velocity_is_that_of_diffusers(scheduler: DDIMScheduler) -> None:
    """The target of v-prediction; the target of epsilon is the noise itself."""
    expected = scheduler.get_velocity(X_0, NOISE, TIMESTEPS)
    torch.testing.assert_close(diffusion.velocity(X_0, NOISE, alpha_bar(scheduler)), expected)
    target = diffusion.prediction_target(X_0, NOISE, alpha_bar(scheduler), "v_prediction")
    torch.testing.assert_close(target, expected)
    assert diffusion.prediction_target(X_0, NOISE, alpha_bar(scheduler), "epsilon") is NOISE


def test_noise_becomes_velocity(scheduler: DDIMScheduler) -> None:
    """The true noise, with x_t, gives the true velocity; 1 / sqrt(alpha_bar) enlarges rounding errors."""
    noisy = scheduler.add_noise(X_0, NOISE, TIMESTEPS)
    found = diffusion.velocity_from_noise(noisy, NOISE, alpha_bar(scheduler))
    expected = scheduler.get_velocity(X_0, NOISE, TIMESTEPS)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


def test_a_scheduler_steps_the_same_with_either_prediction() -> None:
    """DDIM's next latents are the same for a predicted noise and for the velocity made of it."""
    noisy = X_0[:1]
    latents = []
    for kind in ("epsilon", "v_prediction"):
        scheduler = DDIMScheduler(beta_schedule="scaled_linear", prediction_type=kind, clip_sample=False)
        scheduler.set_timesteps(10)
        t = scheduler.timesteps[3]
        alpha = scheduler.alphas_cumprod[t]
        predicted = NOISE[:1] if kind == "epsilon" else diffusion.velocity_from_noise(noisy, NOISE[:1], alpha)
        latents.append(scheduler.step(predicted, t, noisy).prev_sample)
    torch.testing.assert_close(*latents, atol=1e-5, rtol=1e-5)


def test_min_snr_weights_are_those_of_diffusers() -> None:
    """As the reference script makes them of ``compute_snr``."""
    scheduler = DDIMScheduler(beta_schedule="scaled_linear")
    snr = compute_snr(scheduler, TIMESTEPS)
    torch.testing.assert_close(diffusion.signal_to_noise(alpha_bar(scheduler)), snr)
    for kind, divisor in (("epsilon", snr), ("v_prediction", snr + 1)):
        weights = diffusion.min_snr_weights(alpha_bar(scheduler), 5.0, kind)
        torch.testing.assert_close(weights, snr.clamp(max=5.0) / divisor)
