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


def with_diffusers(scheduler: Any, x: Tensor, restart: int | None = None) -> Tensor:
    """Step ``restart`` is of first order."""
    for number, t in enumerate(scheduler.timesteps):
        if number == restart:
            scheduler.lower_order_nums = 0
        x = scheduler.step(answer(x, int(t)), t, x).prev_sample
    return x


@pytest.fixture
def noise() -> Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def zero_snr(base: Base) -> Base:
    changes = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "set_alpha_to_one": True}
    return replace(base, scheduler=DDIMScheduler.from_config(base.scheduler.config, **changes))


@pytest.mark.parametrize("steps", [1, 2, 8, 14, 15, 25, 50])
@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "zero terminal SNR", "guided steps are shorter"])
def test_the_factors_are_those_of_diffusers(base: Base, noise: Tensor, steps: int, kind: str) -> None:
    """From pure noise to the picture. The step with which guidance stops is of first order."""
    prediction = "epsilon" if kind == "epsilon" else "v_prediction"
    mine = replace(
        base, scheduler=DDIMScheduler.from_config(base.scheduler.config, prediction_type=prediction)
    )
    mine = zero_snr(mine) if kind != prediction else mine
    if kind == "guided steps are shorter":
        mine.profile = replace(mine.profile, guidance_stop=0.55, guided_steps=0.8)
    solver = solver_of(mine, steps)
    theirs = with_diffusers(make_scheduler(mine, steps), noise, solver.steps_in(mine.profile.guidance_stop))
    torch.testing.assert_close(run(solver, noise), theirs, atol=2e-4, rtol=2e-4)


def test_zero_terminal_snr_begins_with_ddims_step_from_pure_noise(base: Base, noise: Tensor) -> None:
    """Where there is no signal, a step of first order from the last noise level is exact: DDIM's of diffusers."""
    mine = zero_snr(base)
    ddim = DDIMScheduler.from_config(mine.scheduler.config)
    ddim.set_timesteps(8)
    solver = solver_of(mine, 8)
    assert solver.timesteps.tolist() == ddim.timesteps.tolist()
    found, _ = solver.step(0, noise, answer(noise, 999), None)
    theirs = ddim.step(answer(noise, 999), 999, noise).prev_sample
    torch.testing.assert_close(found, theirs, atol=1e-3, rtol=1e-3)


def test_a_profile_may_ask_for_shorter_steps_while_they_are_guided(base: Base) -> None:
    """Eight of ten steps in 55 % of the noise levels here; their middle says in which share steps are."""
    profile = replace(base.profile, guidance_stop=0.55, guided_steps=0.8)
    solver = solver_of(replace(zero_snr(base), profile=profile), 10)
    assert solver.timesteps.tolist() == [999, 930, 862, 793, 724, 655, 586, 518, 449, 224]
    assert [solver.steps_in(share) for share in (0.0, 0.2, 0.55, 1.0)] == [0, 3, 8, 10]
    even = solver_of(zero_snr(base), 20)
    assert [even.steps_in(share) for share in (0.0, 0.2, 0.55, 1.0)] == [0, 4, 11, 20]


def test_it_leads_to_ddims_picture_in_fewer_steps(base: Base, noise: Tensor) -> None:
    """With zero terminal SNR, too: in 20 steps it is nearer to DDIM of 1000 steps than DDIM of 20 is."""
    mine, ends = zero_snr(base), {}
    for steps in (20, 1000):
        ddim = DDIMScheduler.from_config(mine.scheduler.config)
        ddim.set_timesteps(steps)
        ends[steps] = with_diffusers(ddim, noise)
    found = run(solver_of(mine, 20), noise)
    assert (found - ends[1000]).norm() < 0.7 * (ends[20] - ends[1000]).norm()


@pytest.mark.parametrize("steps", [998, 1000])
def test_as_many_steps_as_levels_are_possible(base: Base, noise: Tensor, steps: int) -> None:
    """Then some steps move nothing."""
    profile = replace(base.profile, guidance_stop=0.55, guided_steps=0.8)
    for one in (base, zero_snr(base), replace(zero_snr(base), profile=profile)):
        assert run(solver_of(one, steps), noise).isfinite().all()


def test_a_loop_may_start_in_the_middle(base: Base, noise: Tensor) -> None:
    """Its first step is then of first order: with one answer for all of them, the same as one step to the end."""
    solver = solver_of(zero_snr(base), 8)
    rows = solver.factors[5:].tolist()
    once, _ = solver.step(5, noise, answer(noise, 374), None)
    keep, now, earlier = rows[0][2:]
    meant = rows[0][0] * noise + rows[0][1] * answer(noise, 374)
    assert earlier
    torch.testing.assert_close(once, keep * noise + (now + earlier) * meant)
