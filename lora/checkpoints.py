"""A training on its way: what is saved of it, and how it goes on from there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from lora import adapters
from lora.adapters import About
from lora.bases import Base
from lora.jobs import Checkpoint, JobError, Train
from lora.plan import Plan

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

    @cached_property
    def fingerprint(self) -> str:
        """Names the training: only trainings of one name may go on from each other's state."""
        fixed = {
            key: value for key, value in asdict(self.how).items() if key not in ("steps", "checkpoint_steps")
        }
        digest = hashlib.sha256(
            json.dumps([self.base.hash, self.job.keyword, fixed], sort_keys=True).encode()
        )
        for sample in self.job.samples:
            digest.update(hashlib.sha256(sample.picture).digest())
            digest.update(hashlib.sha256(sample.caption.encode()).digest())
        return digest.hexdigest()


def checkpoint(run: Run, step: int) -> Checkpoint:
    """The adapter after ``step`` steps, and the state to go on from."""
    about = About(
        keyword=run.job.keyword,
        base=run.base.name,
        base_hash=run.base.hash,
        rank=run.how.rank,
        alpha=run.how.alpha,
        steps=step,
        seed=run.how.seed,
        background=run.background,
        prediction_type=run.base.scheduler.config.prediction_type,
        resolution=run.how.resolution,
    )
    return Checkpoint(
        job=run.job.id,
        attempt=run.job.attempt,
        step=step,
        adapter=adapters.save_adapter(run.base, run.adapter, about),
        state=_state(run, step),
    )


def _state(run: Run, step: int) -> bytes:
    """What a resume needs: weights, both of Adam's moments, the step, and which training it is."""
    tensors = {}
    for key, weight in adapters.weights_of(run.base, run.adapter).items():
        tensors[f"weight/{key}"] = weight.detach().cpu()
        for moment in MOMENTS:
            # A weight that no gradient has reached yet has no moments: those begin at zero.
            value = run.optimizer.state[weight].get(moment, torch.zeros_like(weight))
            tensors[f"{moment}/{key}"] = value.detach().cpu()
    return adapters.to_bytes(tensors, {"step": str(step), "fingerprint": run.fingerprint})


def restore(run: Run, state: bytes) -> int:
    """Put weights and optimizer where ``state`` left them; returns how many steps were done.

    Raises JobError bad-adapter if the state is damaged or of another training.
    """
    metadata = adapters.read_metadata(state)
    if metadata.get("fingerprint") != run.fingerprint:
        raise JobError(
            "bad-adapter", "the checkpoint is of another training: samples, base or settings differ"
        )
    try:
        tensors = load(state)
        step = int(metadata["step"])
        for key, weight in adapters.weights_of(run.base, run.adapter).items():
            weight.data.copy_(tensors[f"weight/{key}"])
            moments = {moment: tensors[f"{moment}/{key}"].to(weight.device) for moment in MOMENTS}
            done = torch.tensor(float(step), device=weight.device)
            run.optimizer.state[weight] = {"step": done, **moments}
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise JobError("bad-adapter", "the checkpoint to go on from is damaged") from error
    return step
