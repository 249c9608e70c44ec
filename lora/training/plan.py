"""How a training is done: what was asked for, and the base's own values for the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from lora.jobs import TrainSettings
from lora.models.base_model import Base

Value = TypeVar("Value", int, float, bool)

# What a resumed training may do otherwise than before, for it changes no weight that the steps lead to. The number of
# steps is free only while the schedule does not depend on it: all others than "constant" end with the last step.
FREE = ("steps", "checkpoint_steps", "validation_steps", "portions", "gradient_checkpointing")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train, every value decided. Those named in ``FREE`` may change when it is resumed."""

    steps: int
    checkpoint_steps: int
    batch_size: int  # samples of one step, over all processes and portions
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
    timestep_sampling: str = "stratified"  # or "uniform", as the reference script does it
    lora_targets: str = "attention+ff"  # a key of adapters.TARGETS
    ema_decay: float | None = None  # None: the adapter is what the last step left, not an average
    background: str = "auto"  # or the name of one of the base's backgrounds
    composite: bool = True  # False drops transparency as the reference script does; it is there to measure
    center_crop: bool = False  # False: padded to a square, nothing is cut off
    interpolation: str = "lanczos"  # a key of dataset.FILTERS
    portions: int = 1  # parts of a process's batch that go through the denoiser one after the other
    gradient_checkpointing: bool = False  # less memory for more time
    validation_steps: int | None = None  # how often train() gives a Validated; None: never

    @property
    def fixed(self) -> dict[str, Any]:
        """The values that a resumed training must share with the one it goes on from."""
        free = FREE if self.schedule == "constant" else [name for name in FREE if name != "steps"]
        return {key: value for key, value in asdict(self).items() if key not in free}


def make_plan(base: Base, asked: TrainSettings, *, samples: int) -> Plan:
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
        random_flip=_decide(asked.random_flip, base.profile.random_flip),
        resolution=base.resolution,
        warmup_steps=base.profile.warmup_steps,
        snr_gamma=base.profile.snr_gamma,
        ema_decay=base.profile.ema_decay,
    )


def _decide(asked: Value | None, usual: Value | None) -> Value:
    value = usual if asked is None else asked
    assert value is not None, "a profile's defaults leave nothing open"
    return value
