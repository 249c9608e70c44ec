"""The learning rate of each step: a linear warm-up with every schedule, then one of diffusers' schedules."""

from __future__ import annotations

import math
from collections.abc import Callable

from lora.training.plan import Plan

POLYNOMIAL_END = 1e-7  # the learning rate at which diffusers' polynomial schedule ends


def _cosine(plan: Plan, progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


def _polynomial(plan: Plan, progress: float) -> float:
    end = min(1.0, POLYNOMIAL_END / plan.learning_rate)
    return (1 - end) * (1 - progress) + end


# Each gives a factor for the learning rate. ``progress`` is the share, 0 to 1, of the steps after the warm-up.
SCHEDULES: dict[str, Callable[[Plan, float], float]] = {
    "constant": lambda plan, progress: 1.0,
    "linear": lambda plan, progress: 1.0 - progress,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine,  # the reference script sets one cycle, so there is no restart
    "polynomial": _polynomial,
}


def lr_multiplier(plan: Plan, step: int) -> float:
    """The factor for ``plan.learning_rate`` at a step; steps are counted from 0.

    During the warm-up it is ``(step + 1) / warmup_steps``: the first step already learns. The reference script's
    ``constant`` has no warm-up; here every schedule has one.
    """
    if step < plan.warmup_steps:
        return (step + 1) / plan.warmup_steps
    progress = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
    return SCHEDULES[plan.schedule](plan, progress)
