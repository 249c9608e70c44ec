"""The solvers' factors are those of diffusers, and of the published formulas where diffusers has none."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from lora.drawing.solver import Solver, make_scheduler, solver_of
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


@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_zero_terminal_snr_is_ddim_as_in_diffusers(base: Base, noise: Tensor, steps: int) -> None:
    """From pure noise to the picture."""
    mine = zero_snr(base)
    scheduler = DDIMScheduler.from_config(mine.scheduler.config)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps[0] == 999
    found = run(solver_of(mine, steps), noise)
    torch.testing.assert_close(found, with_diffusers(scheduler, noise), atol=1e-4, rtol=1e-4)
