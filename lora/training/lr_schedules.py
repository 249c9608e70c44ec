"""The learning rate of each step: a real warm-up with every schedule, then one of diffusers' schedules."""

from __future__ import annotations

import math
from collections.abc import Callable

from lora.training.plan import Plan

POLYNOMIAL_END = 1e-7  # the rate that diffusers' polynomial schedule ends at


def _cosine(how: Plan, done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))


def _polynomial(how: Plan, done: float) -> float:
    end = min(1.0, POLYNOMIAL_END / how.learning_rate)
    return (1 - end) * (1 - done) + end


# The share of the learning rate where the share ``done`` of the steps after the warm-up is done.
SCHEDULES: dict[str, Callable[[Plan, float], float]] = {
    "constant": lambda how, done: 1.0,
    "linear": lambda how, done: 1.0 - done,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine,  # the reference script leaves it at one cycle, so nothing restarts
    "polynomial": _polynomial,
}


def lr_multiplier(how: Plan, step: int) -> float:
    """The share of the learning rate that a step, counted from 0, uses.

    The reference script's ``constant`` has no warm-up; here each schedule has, and its first step already
    learns something.
    """
    if step < how.warmup_steps:
        return (step + 1) / how.warmup_steps
    return SCHEDULES[how.schedule](how, (step - how.warmup_steps) / max(1, how.steps - how.warmup_steps))
