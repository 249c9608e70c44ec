"""The solvers' factors are those of diffusers, and of the published formulas where diffusers has none."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from lora.drawing.sampling import make_scheduler
from lora.drawing.solver import Solver, ddim_of, solver_of
from lora.models.base_model import Base


def answer(x: Tensor, t: int) -> Tensor:
    """Stands in for a denoiser: smooth in both."""
    return torch.sin(x + t / 300) + 0.1 * x


def run(solver: Solver, x: Tensor) -> Tensor:
    meant = None
    for number, t in enumerate(solver.timesteps.tolist()):
        x, meant = solver.step(number, x, answer(x, t), meant)
    return x


def with_diffusers(scheduler: Any, x: Tensor) -> Tensor:
    for t in scheduler.timesteps:
        x = scheduler.step(answer(x, int(t)), t, x).prev_sample
    return x


@pytest.fixture
def noise() -> Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def zero_snr(base: Base) -> Base:
    changes = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "set_alpha_to_one": True}
    return replace(base, scheduler=DDIMScheduler.from_config(base.scheduler.config, **changes))


@pytest.mark.parametrize("steps", [1, 2, 8, 14, 15, 25, 50])
@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
def test_dpm_solver_is_that_of_diffusers(base: Base, noise: Tensor, steps: int, prediction: str) -> None:
    scheduler = DDIMScheduler.from_config(base.scheduler.config, prediction_type=prediction)
    mine = replace(base, scheduler=scheduler)
    theirs = with_diffusers(make_scheduler(mine, steps), noise)
    torch.testing.assert_close(run(solver_of(mine, steps), noise), theirs, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_ddim_is_that_of_diffusers(base: Base, noise: Tensor, steps: int) -> None:
    mine = zero_snr(base)
    scheduler = DDIMScheduler.from_config(mine.scheduler.config)
    scheduler.set_timesteps(steps)
    torch.testing.assert_close(
        run(ddim_of(mine, steps), noise), with_diffusers(scheduler, noise), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("steps", [1, 2, 6, 10])
def test_zero_terminal_snr_begins_exactly_and_goes_on_with_dpm_solver(
    base: Base, noise: Tensor, steps: int
) -> None:
    """Against the formulas written out: DDIM from pure noise, then second order, the last step to the picture."""
    mine = zero_snr(base)
    signals = mine.scheduler.alphas_cumprod.double()
    scheduler = DDIMScheduler.from_config(mine.scheduler.config)
    scheduler.set_timesteps(steps)
    grid = scheduler.timesteps.tolist()
    x, before, snr_before = noise.double(), None, None
    for i, t in enumerate(grid):
        a, s = signals[t].sqrt(), (1 - signals[t]).sqrt()
        v = answer(x.float(), t).double()
        x0, e = a * x - s * v, s * x + a * v
        last = i == len(grid) - 1
        b, n = torch.tensor(1.0), torch.tensor(0.0)
        if not last:
            b, n = signals[grid[i + 1]].sqrt(), (1 - signals[grid[i + 1]]).sqrt()
        if i == 0 or last:
            x = b * x0 + n * e
        else:
            here, end = torch.log(a / s), torch.log(b / n)
            h, meant = end - here, x0
            if before is not None:
                r = (here - snr_before) / h
                meant = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before
            x = n / s * x - b * torch.expm1(-h) * meant
        before, snr_before = (x0, torch.log(a / s)) if i else (None, None)
    torch.testing.assert_close(run(solver_of(mine, steps), noise), x.float(), atol=2e-4, rtol=2e-4)
