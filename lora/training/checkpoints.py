"""A training on its way: what is saved of it, and how it goes on from there."""

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
from lora.training.plan import Plan, make_plan

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(kw_only=True)
class Run:
    """One training: what it was asked for, and the layers and the optimizer it works on."""

    base: Base
    job: Train
    how: Plan
    background: str
    adapter: str  # its name on the denoiser
    optimizer: torch.optim.Optimizer
    average: EMA | None = None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Names the training; see ``identity``."""
        return identity(self.base, self.job, self.how)


def identity(base: Base, job: Train, how: Plan) -> dict[str, Any]:
    """Names a training: only trainings of one identity may go on from each other's state.

    Plain values, as JSON keeps them. Of samples and keyword only hashes are in it.
    """
    samples = hashlib.sha256()
    for sample in job.samples:
        samples.update(hashlib.sha256(sample.picture).digest())
        samples.update(hashlib.sha256(sample.caption.encode()).digest())
    keyword = hashlib.sha256(job.keyword.encode()).hexdigest()
    return {"base": base.hash, "keyword": keyword, "samples": samples.hexdigest(), **how.fixed}


def differences(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    """What keeps the training ``mine`` from going on where ``theirs`` was, in words; empty if nothing does."""
    return [
        _difference(key, theirs.get(key, "not noted"), value)
        for key, value in mine.items()
        if key not in theirs or theirs[key] != value
    ]


def checkpoint(run: Run, step: int) -> Checkpoint:
    """The adapter after ``step`` steps, and the state to go on from."""
    return Checkpoint(
        job=run.job.id,
        attempt=run.job.attempt,
        step=step,
        adapter=adapter(run, step),
        state=_state(run, step),
    )


def adapter(run: Run, step: int) -> bytes:
    """The adapter file after ``step`` steps: the average, if the training keeps one."""
    about = AdapterInfo(
        keyword=run.job.keyword,
        base=run.base.name,
        base_hash=run.base.hash,
        rank=run.how.rank,
        alpha=run.how.alpha,
        steps=step,
        seed=run.how.seed,
        background=run.background,
        targets=run.how.lora_targets,
        prediction_type=run.base.scheduler.config.prediction_type,
        resolution=run.how.resolution,
    )
    with run.average.in_place() if run.average else nullcontext():
        return lora_layers.save_adapter(run.base, run.adapter, about)


def _state(run: Run, step: int) -> bytes:
    """What a resume needs: weights, both of Adam's moments, the average, the step, and which training it is."""
    tensors = {}
    for key, weight in lora_layers.weights_of(run.base, run.adapter).items():
        tensors[f"weight/{key}"] = weight.detach().cpu()
        for moment in MOMENTS:
            # A weight that no gradient has reached yet has no moments: those begin at zero.
            value = run.optimizer.state[weight].get(moment, torch.zeros_like(weight))
            tensors[f"{moment}/{key}"] = value.detach().cpu()
    if run.average:
        tensors |= {f"average/{key}": value.cpu() for key, value in run.average.values.items()}
    return adapter_file.to_bytes(tensors, {"step": str(step), "training": json.dumps(run.identity)})


def restore(run: Run, state: bytes) -> int:
    """Put weights, optimizer and average where ``state`` left them; returns how many steps were done.

    Raises JobError bad-adapter if the state is damaged or of another training; it names what differs.
    """
    metadata = adapter_file.read_header(state)
    _refuse_strangers(run, metadata)
    try:
        tensors = load(state)
        step = int(metadata["step"])
        for key, weight in lora_layers.weights_of(run.base, run.adapter).items():
            _restore_weight(run, key, weight, tensors, step)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise JobError("bad-adapter", "the checkpoint to go on from is damaged") from error
    return step


def _restore_weight(run: Run, key: str, weight: Tensor, tensors: dict[str, Tensor], step: int) -> None:
    """One weight with its moments and its average."""
    weight.data.copy_(tensors[f"weight/{key}"])
    moments = {moment: tensors[f"{moment}/{key}"].to(weight.device) for moment in MOMENTS}
    done = torch.tensor(float(step), device=weight.device)
    run.optimizer.state[weight] = {"step": done, **moments}
    if run.average:
        run.average.values[key].copy_(tensors[f"average/{key}"])


def _refuse_strangers(run: Run, metadata: dict[str, str]) -> None:
    """Going on from another training's state would quietly train something else."""
    different = differences(_identity(metadata), run.identity)
    if different:
        raise JobError("bad-adapter", f"the checkpoint is of another training: {', '.join(different)}")


def begun_otherwise(state: bytes, base: Base, job: Train) -> list[str]:
    """What a state's training was begun with and the usual plan for ``job`` is not, in words: an update came between.

    Whether samples are mirrored is no such thing: a state says so itself (``was_mirrored``). Raises JobError.
    """
    theirs = _identity(adapter_file.read_header(state))
    mine = identity(base, job, make_plan(base, job.settings, samples=len(job.samples)))
    return differences(theirs, {**mine, "random_flip": theirs.get("random_flip")})


def was_mirrored(state: bytes) -> bool:
    """Whether the training of a state was shown its samples mirrored, too. Raises JobError bad-adapter."""
    return bool(_identity(adapter_file.read_header(state)).get("random_flip", True))


def _identity(metadata: dict[str, str]) -> dict[str, Any]:
    """The training that a state is of, as ``Run.identity`` named it."""
    try:
        return dict(json.loads(metadata["training"]))
    except (KeyError, ValueError, TypeError) as error:
        raise JobError("bad-adapter", "no state of a training, or a damaged one") from error


def _difference(key: str, theirs: object, mine: object) -> str:
    """Hashes tell a person nothing, so only settings are shown."""
    if key in ("base", "keyword", "samples"):
        return f"other {key}"
    return f"{key} was {theirs} and is {mine}"
