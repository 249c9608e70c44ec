"""The plan of a training: every setting, as it was asked for or as the base's profile has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from lora.adapters.targets import DEFAULT_TARGETS
from lora.jobs import TrainSettings
from lora.models.base_model import Base

Value = TypeVar("Value", int, float, bool)
AUTO, NONE = "auto", "none"  # values of ``Plan.style_words`` that are no words

# Settings that may differ when a training is resumed, because they do not change the weights after a step. The number
# of steps is such a setting only with the constant schedule: the other schedules depend on it.
CHANGEABLE = (
    "steps",
    "checkpoint_steps",
    "validation_steps",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All settings of a training, none left open. Those in ``CHANGEABLE`` may differ when it is resumed."""

    steps: int
    checkpoint_steps: int
    batch_size: int  # samples of one step, over all processes and micro-batches
    learning_rate: float
    rank: int
    alpha: float
    seed: int
    resolution: int
    warmup_steps: int
    schedule: str = "constant"  # after the warm-up; a key of SCHEDULES
    random_flip: bool = True
    caption_dropout: float = 0.1  # classifier-free guidance also needs predictions without a caption
    snr_gamma: float | None = None
    noise_offset: float = 0.0
    max_grad_norm: float = 1.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    adam_weight_decay: float = 1e-2
    timestep_sampling: str = "stratified"  # or as in lora.training.timesteps
    lora_targets: str = DEFAULT_TARGETS  # a key of lora.adapters.targets.TARGETS
    ema_decay: float | None = None  # None: checkpoints hold the trained weights, not an average
    background: str = "auto"  # or the name of one of the base's backgrounds
    style_words: str = (
        AUTO  # at the end of captions and prompts: of the nearest style that the base knows, NONE, or words
    )
    composite: bool = True  # False drops alpha as the reference script does, for measurements
    center_crop: bool = False  # False: padded to a square, nothing is cut off
    interpolation: str = "lanczos"  # a key of lora.data.dataset.FILTERS
    gradient_accumulation_steps: int = 1  # micro-batches of a process's batch, one after the other
    gradient_checkpointing: bool = False  # less memory for more time
    validation_steps: int | None = None  # steps between two validations; None: no validation

    @property
    def fixed(self) -> dict[str, Any]:
        """The settings that must be the same when the training is resumed."""
        changeable = set(CHANGEABLE)
        if self.schedule != "constant":
            changeable.remove("steps")
        return {key: value for key, value in asdict(self).items() if key not in changeable}


def make_plan(base: Base, asked: TrainSettings, *, samples: int) -> Plan:
    """The plan with what was asked; the rest comes from the base's profile for this number of samples."""
    defaults = base.profile.defaults(samples)
    rank = _decide(asked.rank, defaults.rank)
    return Plan(
        steps=_decide(asked.steps, defaults.steps),
        checkpoint_steps=_decide(asked.checkpoint_steps, defaults.checkpoint_steps),
        batch_size=_decide(asked.batch_size, defaults.batch_size),
        learning_rate=_decide(asked.learning_rate, defaults.learning_rate),
        rank=rank,
        alpha=rank,
        seed=asked.seed,
        random_flip=_decide(asked.random_flip, base.profile.random_flip),
        resolution=base.resolution,
        warmup_steps=base.profile.warmup_steps,
        snr_gamma=base.profile.snr_gamma,
        ema_decay=base.profile.ema_decay,
        timestep_sampling=base.profile.timestep_sampling,
    )


def _decide(asked: Value | None, default: Value | None) -> Value:
    value = default if asked is None else asked
    assert value is not None, "a profile has a default for every setting"
    return value
