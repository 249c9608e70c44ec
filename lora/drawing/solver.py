"""The solvers of the sampling loop as plain numbers: each step is linear, so it needs five factors and no scheduler.

With the denoiser's answer m at noise level t (noise or velocity), a step is

    x0 = p_x x + p_m m                     the picture that the answer means
    x  = c_x x + c_0 x0 + c_1 x0_before    the latents at the next noise level

so that a whole loop can run on a GPU without the processor's help.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lora.models.base_model import Base


def make_scheduler(base: Base, steps: int) -> Any:
    """A scheduler set to ``steps`` steps, for the base's noise schedule and prediction type.

    DPM-Solver++ 2M (Lu et al. 2022, arXiv 2211.01095) needs the fewest steps. A base with zero terminal SNR (Lin et al.
    2023, arXiv 2305.08891) gets DDIM (Song et al. 2020, arXiv 2010.02502), which takes the step from pure noise
    exactly. DPM-Solver++ was tried there and has not been measured with adapters.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    config = dict(base.scheduler.config)
    if config.get("rescale_betas_zero_snr"):
        scheduler = DDIMScheduler.from_config(config)
    else:
        known = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
        scheduler = DPMSolverMultistepScheduler(**{key: config[key] for key in known}, steps_offset=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # diffusers 0.42 hands numpy 2 a torch tensor
        scheduler.set_timesteps(steps)
    return scheduler


@dataclass(frozen=True)
class Solver:
    """The loop's timesteps [steps] and factors [steps, 5]: p_x, p_m, c_x, c_0, c_1. The start is plain noise."""

    timesteps: Tensor
    factors: Tensor

    def __len__(self) -> int:
        return len(self.timesteps)

    def step(self, number: int, x: Tensor, answer: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """The latents after step ``number``, and the picture that the denoiser meant in it."""
        from_x, from_answer, keep, now, earlier = self.factors[number].tolist()
        meant = from_x * x + from_answer * answer
        moved = keep * x + now * meant
        return (moved if before is None or not earlier else moved + earlier * before), meant


def solver_of(base: Base, steps: int) -> Solver:
    """``make_scheduler`` in so many steps, as factors."""
    scheduler = make_scheduler(base, steps)
    velocity = base.scheduler.config.prediction_type == "v_prediction"
    if base.scheduler.config.get("rescale_betas_zero_snr"):
        return _ddim(scheduler, steps, velocity)
    levels = [_level(sigma) for sigma in scheduler.sigmas.double().tolist()]
    rows = []
    for number, (here, end) in enumerate(pairwise(levels)):
        last = number == steps - 1  # it ends at the picture itself, where log_snr is not finite
        second = number > 0 and not last
        factors = _second_order(levels[number - 1], here, end) if second else (*_first_order(here, end), 0.0)
        rows.append([*_meaning(here, velocity), *factors])
    return Solver(scheduler.timesteps.long().cpu(), torch.tensor(rows, dtype=torch.float32))


def _ddim(scheduler: Any, steps: int, velocity: bool) -> Solver:
    """DDIM as diffusers has it: a step ends ``num_train_timesteps // steps`` timesteps further on."""
    stride = scheduler.config.num_train_timesteps // steps
    rows = []
    for t in scheduler.timesteps.tolist():
        here = _level_of(scheduler.alphas_cumprod[t])
        end = _level_of(
            scheduler.alphas_cumprod[t - stride] if t >= stride else scheduler.final_alpha_cumprod
        )
        rows.append([*_meaning(here, velocity), *_first_order(here, end), 0.0])
    return Solver(scheduler.timesteps.long().cpu(), torch.tensor(rows, dtype=torch.float32))


@dataclass(frozen=True)
class _Level:
    """A noise level x_t = signal x_0 + noise e, with signal^2 + noise^2 = 1."""

    signal: float
    noise: float

    @property
    def log_snr(self) -> float:
        """Half the logarithm of the signal-to-noise ratio, log(signal / noise)."""
        return math.log(self.signal / self.noise)


def _level(sigma: float) -> _Level:
    """The level whose noise is ``sigma`` times its signal."""
    signal = 1 / math.sqrt(1 + sigma**2)
    return _Level(signal, sigma * signal)


def _level_of(alpha_bar: Tensor) -> _Level:
    """The level with the squared signal ``alpha_bar``."""
    signal = alpha_bar.double().sqrt().item()
    return _Level(signal, math.sqrt(max(0.0, 1 - signal**2)))


def _meaning(here: _Level, velocity: bool) -> tuple[float, float]:
    """x0 = signal x - noise v, or (x - noise e) / signal."""
    if velocity:
        return here.signal, -here.noise
    return 1 / here.signal, -here.noise / here.signal


def _first_order(here: _Level, end: _Level) -> tuple[float, float]:
    """x' = signal' x0 + noise' e with e = (x - signal x0) / noise: DDIM's step, and DPM-Solver++'s first order."""
    ratio = end.noise / here.noise
    return ratio, end.signal - ratio * here.signal


def _second_order(before: _Level, here: _Level, end: _Level) -> tuple[float, float, float]:
    """With h = log_snr' - log_snr and r = (log_snr - log_snr_before) / h:

    x' = noise' / noise x - signal' (exp(-h) - 1) ((1 + 1 / 2r) x0 - 1 / 2r x0_before)
    """
    h = end.log_snr - here.log_snr
    share = h / (2 * (here.log_snr - before.log_snr))
    gain = -end.signal * math.expm1(-h)
    return end.noise / here.noise, gain * (1 + share), -gain * share
