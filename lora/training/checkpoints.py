"""Checkpoints of a training: the adapter file, and the state from which the training can be resumed exactly.

A state is a safetensors file. For each LoRA weight it holds ``weight/NAME``, ``exp_avg/NAME`` and ``exp_avg_sq/NAME``
(Adam's moments) and, with an EMA, ``average/NAME``. Metadata: ``step``, and the fingerprint as JSON in ``training``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from lora.adapters import adapter_file, lora_layers
from lora.adapters.adapter_file import AdapterInfo
from lora.jobs import Checkpoint, JobError, Train
from lora.models.base_model import Base
from lora.training.ema import EMA
from lora.training.plan import NONE, Plan, make_plan

MOMENTS = ("exp_avg", "exp_avg_sq")
MOST_STEPS = 2**31  # of a state; a training has far fewer
HASHES = ("base", "keyword", "samples")  # entries of a fingerprint that are hashes
ADDED = {"style_words": NONE}  # entries that older fingerprints lack, and what those trainings had


@dataclass(kw_only=True)
class Run:
    """One training: its job and plan, and the layers and the optimizer that it changes."""

    base: Base
    job: Train
    plan: Plan
    background: str
    style_words: str
    adapter: str  # the name of the LoRA layers on the denoiser
    optimizer: torch.optim.Optimizer
    ema: EMA | None = None

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """The fingerprint of this training."""
        return fingerprint(self.base, self.job, self.plan)


def fingerprint(base: Base, job: Train, plan: Plan) -> dict[str, Any]:
    """What a training was started with. It may resume only from a state with an equal fingerprint.

    Holds the base's hash, hashes of keyword and samples, and the settings of the plan that may not change. All
    values can be written as JSON. It holds no captions and no pictures.
    """
    samples = hashlib.sha256()
    for sample in job.samples:
        samples.update(hashlib.sha256(sample.picture).digest())
        samples.update(hashlib.sha256(sample.caption.encode()).digest())
    keyword = hashlib.sha256(job.keyword.encode()).hexdigest()
    return {"base": base.hash, "keyword": keyword, "samples": samples.hexdigest(), **plan.fixed}


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """In which entries two fingerprints differ, as texts for a person; empty if a resume is possible."""
    stored = {**ADDED, **stored}
    return [
        _difference(key, stored.get(key, "not noted"), value)
        for key, value in current.items()
        if key not in stored or stored[key] != value
    ]


def _difference(key: str, stored: object, current: object) -> str:
    """Hashes mean nothing to a person, so only settings are shown with their values."""
    if key in HASHES:
        return f"other {key}"
    return f"{key} was {stored} and is {current}"


def checkpoint(run: Run, step: int) -> Checkpoint:
    """The adapter after ``step`` steps, with the state to resume from."""
    return Checkpoint(
        job=run.job.id,
        attempt=run.job.attempt,
        step=step,
        adapter=adapter(run, step),
        state=_state(run, step),
    )


def adapter(run: Run, step: int) -> bytes:
    """The adapter file after ``step`` steps; with the averaged weights, if the training has an EMA."""
    info = AdapterInfo(
        keyword=run.job.keyword,
        base=run.base.name,
        base_hash=run.base.hash,
        rank=run.plan.rank,
        alpha=run.plan.alpha,
        steps=step,
        seed=run.plan.seed,
        background=run.background,
        style_words=run.style_words,
        targets=run.plan.lora_targets,
        prediction_type=run.base.scheduler.config.prediction_type,
        resolution=run.plan.resolution,
    )
    with run.ema.in_place() if run.ema else nullcontext():
        return lora_layers.save_adapter(run.base, run.adapter, info)


def _state(run: Run, step: int) -> bytes:
    """The state file after ``step`` steps."""
    tensors: dict[str, Tensor] = {}
    for key, weight in lora_layers.weights_of(run.base, run.adapter).items():
        tensors[f"weight/{key}"] = weight
        known = run.optimizer.state[weight]
        for moment in MOMENTS:
            # AdamW has no moments for a weight that never had a gradient. They start at zero.
            tensors[f"{moment}/{key}"] = known[moment] if moment in known else torch.zeros_like(weight)
    if run.ema:
        tensors |= {f"average/{key}": value for key, value in run.ema.values.items()}
    return adapter_file.to_bytes(tensors, {"step": str(step), "training": json.dumps(run.fingerprint)})


def restore(run: Run, state: bytes) -> int:
    """Load weights, optimizer and EMA from a state file; returns the number of steps done.

    Raises JobError bad-adapter if the file is damaged, if its fingerprint differs (the error names what differs), or if
    it is of a later step than the training's last one.
    """
    metadata = adapter_file.read_header(state)
    _check_fingerprint(run, metadata)
    try:
        step = steps_done(metadata)
        if later := _too_late(step, run.plan):
            raise JobError("bad-adapter", later)
        tensors = load(state)
        for key, weight in lora_layers.weights_of(run.base, run.adapter).items():
            _restore_weight(run, key, weight, tensors, step)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise JobError("bad-adapter", "the checkpoint to go on from is damaged") from error
    return step


def steps_done(metadata: Mapping[str, str]) -> int:
    """How many steps a state is from. Raises KeyError, ValueError."""
    step = int(metadata["step"])
    if not 0 <= step <= MOST_STEPS:
        raise ValueError(f"step {step}")
    return step


def _too_late(step: int, plan: Plan) -> str | None:
    """Why a state of this step cannot be resumed with so few steps, as a text for a person."""
    return (
        f"it is of step {step}, and this training ends with step {plan.steps}" if step > plan.steps else None
    )


def _restore_weight(run: Run, key: str, weight: Tensor, tensors: dict[str, Tensor], step: int) -> None:
    """One weight with its moments and its average."""
    kinds = ("weight", *MOMENTS, *(["average"] if run.ema else []))
    own = {kind: tensors[f"{kind}/{key}"] for kind in kinds}
    if any((one.shape, one.dtype) != (weight.shape, weight.dtype) for one in own.values()):
        raise ValueError(f"{key} has another shape or type")  # torch would spread a single value over all
    weight.data.copy_(own["weight"])
    moments = {moment: own[moment].to(weight.device) for moment in MOMENTS}
    run.optimizer.state[weight] = {"step": torch.tensor(float(step), device=weight.device), **moments}
    if run.ema:
        run.ema.values[key].copy_(own["average"])


def _check_fingerprint(run: Run, metadata: dict[str, str]) -> None:
    """Without this check, a resume from another training's state would train on without an error."""
    different = differences(_stored_fingerprint(metadata), run.fingerprint)
    if different:
        raise JobError("bad-adapter", f"the checkpoint is of another training: {', '.join(different)}")


def differences_from_default_plan(state: bytes, base: Base, job: Train) -> list[str]:
    """In what a state's training differs from one that ``job`` would start now, as texts for a person.

    It differs, for example, if an update has changed a default, or if there are fewer steps now than are done.
    ``random_flip`` is not compared: it is decided for each training (see ``used_random_flip``). Raises JobError
    bad-adapter.
    """
    metadata = adapter_file.read_header(state)
    stored = _stored_fingerprint(metadata)
    plan = make_plan(base, job.settings, samples=len(job.samples))
    try:
        later = _too_late(steps_done(metadata), plan)
    except (KeyError, ValueError) as error:
        raise JobError("bad-adapter", "the checkpoint to go on from is damaged") from error
    current = {**fingerprint(base, job, plan), "random_flip": stored.get("random_flip")}
    return [*differences(stored, current), *([later] if later else [])]


def used_random_flip(state: bytes) -> bool:
    """Whether a state's training also used mirrored pictures. Raises JobError bad-adapter."""
    return bool(_stored_fingerprint(adapter_file.read_header(state)).get("random_flip", True))


def _stored_fingerprint(metadata: dict[str, str]) -> dict[str, Any]:
    """The fingerprint in a state file's metadata."""
    try:
        return dict(json.loads(metadata["training"]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise JobError("bad-adapter", "no state of a training, or a damaged one") from error
