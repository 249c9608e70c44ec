"""The solvers of the sampling loop as plain numbers: each step is linear, so it needs five factors and no scheduler.

With the denoiser's answer m at noise level t (noise or velocity), a step is

    x0 = p_x x + p_m m                     the picture that the answer means
    x  = c_x x + c_0 x0 + c_1 x0_before    the latents at the next noise level

so that a whole loop can run on a GPU without the processor's help.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lora.models.base_model import Base


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
    """DPM-Solver++ 2M (Lu et al. 2022, arXiv 2211.01095) in so many steps, for the base's noise schedule.

    A base with zero terminal SNR begins at pure noise, where that solver's log-SNR is not finite: DDIM (Song et al.
    2020, arXiv 2010.02502) takes the first step exactly, then DPM-Solver++ goes on.
    """
    from lora.drawing.sampling import make_scheduler

    scheduler = make_scheduler(base, steps)
    velocity = base.scheduler.config.prediction_type == "v_prediction"
    if not base.scheduler.config.get("rescale_betas_zero_snr"):
        levels = [_level(1 / math.sqrt(1 + sigma**2)) for sigma in scheduler.sigmas.double().tolist()]
        return _solver(scheduler.timesteps, levels, velocity)
    known = scheduler.alphas_cumprod.double().sqrt()
    levels = [_level(known[t].item()) for t in scheduler.timesteps.tolist()]
    return _solver(scheduler.timesteps, [*levels, _level(1.0)], velocity)


def ddim_of(base: Base, steps: int) -> Solver:
    """DDIM as diffusers has it, for a base with zero terminal SNR: what drew on it before."""
    from lora.drawing.sampling import make_scheduler

    scheduler: Any = make_scheduler(base, steps)
    stride = scheduler.config.num_train_timesteps // steps
    rows = []
    for t in scheduler.timesteps.tolist():
        here = _level(scheduler.alphas_cumprod[t].double().sqrt().item())
        end = t - stride
        kept = scheduler.alphas_cumprod[end] if end >= 0 else scheduler.final_alpha_cumprod
        rows.append([*_meaning(here, base.scheduler.config.prediction_type == "v_prediction"),
                     *_first_order(here, _level(kept.double().sqrt().item())), 0.0])  # fmt: skip
    return Solver(scheduler.timesteps.long(), torch.tensor(rows, dtype=torch.float32))


@dataclass(frozen=True)
class _Level:
    """A noise level x_t = signal x_0 + noise e, with signal^2 + noise^2 = 1."""

    signal: float
    noise: float

    @property
    def log_snr(self) -> float:
        """Half the logarithm of the signal-to-noise ratio, log(signal / noise)."""
        return math.log(self.signal / self.noise)

    @property
    def is_finite(self) -> bool:
        return self.signal > 1e-8 and self.noise > 1e-8


def _level(signal: float) -> _Level:
    return _Level(signal, math.sqrt(max(0.0, 1 - signal**2)))


def _solver(timesteps: Tensor, levels: list[_Level], velocity: bool) -> Solver:
    """Second order from the second step on that has a finite level before it; the last step is of first order."""
    rows = []
    for i, (here, end) in enumerate(pairwise(levels)):
        before = levels[i - 1] if i else None
        if before is None or not (before.is_finite and here.is_finite and end.is_finite):
            factors = (*_first_order(here, end), 0.0)
        else:
            factors = _second_order(before, here, end)
        rows.append([*_meaning(here, velocity), *factors])
    return Solver(timesteps.long().cpu(), torch.tensor(rows, dtype=torch.float32))


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
