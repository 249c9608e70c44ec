"""How a training is done: what was asked for, and the base's own values for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from lora.bases import Base
from lora.jobs import TrainSettings

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train, every value decided. ``steps`` and ``checkpoint_steps`` may change when it is resumed."""

    steps: int
    checkpoint_steps: int
    batch_size: int
    learning_rate: float
    rank: int
    alpha: float
    seed: int
    resolution: int
    warmup_steps: int
    schedule: str = "constant"  # after the warm-up; a key of SCHEDULES
    random_flip: bool = True
    caption_dropout: float = 0.1  # so that the adapter also learns the side that CFG subtracts
    snr_gamma: float | None = None
    noise_offset: float = 0.0
    max_grad_norm: float = 1.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    adam_weight_decay: float = 1e-2


def plan(base: Base, asked: TrainSettings, *, samples: int) -> Plan:
    """The plan for what was asked, with the base's own values for the rest."""
    usual = base.profile.defaults(samples)
    rank = _decide(asked.rank, usual.rank)
    return Plan(
        steps=_decide(asked.steps, usual.steps),
        checkpoint_steps=_decide(asked.checkpoint_steps, usual.checkpoint_steps),
        batch_size=_decide(asked.batch_size, usual.batch_size),
        learning_rate=_decide(asked.learning_rate, usual.learning_rate),
        rank=rank,
        alpha=rank,
        seed=asked.seed,
        resolution=base.resolution,
        warmup_steps=base.profile.warmup_steps,
        snr_gamma=base.profile.snr_gamma,
    )


def _decide(asked: Number | None, usual: Number | None) -> Number:
    value = usual if asked is None else asked
    assert value is not None, "a profile's defaults leave nothing open"
    return value
