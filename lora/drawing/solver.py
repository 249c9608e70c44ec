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
from lora.models.profiles import Profile


def make_scheduler(base: Base, steps: int) -> Any:
    """DPM-Solver++ 2M (Lu et al. 2022, arXiv 2211.01095) by diffusers, set to ``steps`` steps.

    It has the base's noise schedule and prediction type. Of a base with zero terminal SNR (Lin et al. 2023, arXiv
    2305.08891) the first step starts from pure noise: it is of first order, and so exact for the picture that the
    denoiser means. The base's profile may ask for shorter steps while they are guided.
    """
    from diffusers import DPMSolverMultistepScheduler

    config = dict(base.scheduler.config)
    known = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type")
    kept = {key: config[key] for key in known}
    if config.get("rescale_betas_zero_snr"):
        kept |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    scheduler = DPMSolverMultistepScheduler(**kept, steps_offset=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # diffusers 0.42 hands numpy 2 a torch tensor
        timesteps = _timesteps(base.profile, steps, config["num_train_timesteps"])
        scheduler.set_timesteps(**({"timesteps": timesteps} if timesteps else {"num_inference_steps": steps}))
    return scheduler


def _timesteps(profile: Profile, steps: int, levels: int) -> list[int] | None:
    """The timestep of each step, where those that are guided have another length than the others."""
    guided = round((profile.guided_steps or 0) * steps)
    if guided in (0, steps) or profile.guidance_stop in (0, 1):
        return None
    turn = round(levels * (1 - profile.guidance_stop)) - 1
    early = [levels - 1 - (levels - 1 - turn) * i / guided for i in range(guided)]
    late = [turn - (turn + 1) * i / (steps - guided) for i in range(steps - guided)]
    found = [round(t) for t in early + late]
    return found if len(set(found)) == steps else None  # more steps than levels there


@dataclass(frozen=True)
class Solver:
    """The loop's timesteps [steps] and factors [steps, 5]: p_x, p_m, c_x, c_0, c_1. The start is plain noise.

    A loop may also start at a later step, with latents of its noise level; that step is then of first order.
    """

    timesteps: Tensor
    factors: Tensor
    levels: int  # timesteps that the base has

    def __len__(self) -> int:
        return len(self.timesteps)

    def steps_in(self, share: float) -> int:
        """How many steps, from the first, lie in this share of the noise levels: at least with their middle."""
        ends = [*self.timesteps.tolist(), -1]
        last = self.levels * (1 - share)
        return sum((start + end) / 2 >= last - 1 for start, end in pairwise(ends))

    def step(self, number: int, x: Tensor, answer: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """The latents after step ``number``, and the picture that the denoiser meant in it.

        ``before`` is the picture that it meant in the step before; None in the loop's first one.
        """
        from_x, from_answer, keep, now, earlier = self.factors[number].tolist()
        meant = from_x * x + from_answer * answer
        return keep * x + now * meant + earlier * (meant if before is None else before), meant


def solver_of(base: Base, steps: int) -> Solver:
    """``make_scheduler`` in so many steps, as factors.

    The step with which guidance stops is of first order: what the denoiser meant with guidance is another picture. So
    is one after a step that moved nothing, as there are among nearly as many steps as levels.
    """
    scheduler = make_scheduler(base, steps)
    velocity = base.scheduler.config.prediction_type == "v_prediction"
    levels = [_level(sigma) for sigma in scheduler.sigmas.double().tolist()]
    timesteps = scheduler.timesteps.long().cpu()
    steps = len(timesteps)  # diffusers' rounding may give one more than was asked for
    solver = Solver(timesteps, torch.zeros(steps, 5), base.scheduler.config.num_train_timesteps)
    # The last step ends at the picture itself, where log_snr is not finite.
    first_order = {0, steps - 1, solver.steps_in(base.profile.guidance_stop)}
    for number, (here, end) in enumerate(pairwise(levels)):
        if number in first_order or levels[number - 1] == here:
            factors = (*_first_order(here, end), 0.0)
        else:
            factors = _second_order(levels[number - 1], here, end)
        solver.factors[number] = torch.tensor([*_meaning(here, velocity), *factors])
    return solver


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
