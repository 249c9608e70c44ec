"""Row 9 of ``benchmarks.speed``: memory of drawing one picture and of training at batch 1, part by part."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any
from unittest import mock

import torch

from benchmarks import speed_setup as setup
from benchmarks import speed_training
from benchmarks.speed_setup import Setting
from lora.drawing import mixed_batches, sampling
from lora.jobs import Progress
from lora.models.base_model import Base
from lora.training import loop


def memory(setting: Setting) -> None:
    """Peaks of allocated and reserved GB, each with the base's weights."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    if setting.device.type != "cuda":
        for small in (False, True):
            _draw(setting, base, files[0], small=small)
        setting.report("9 memory", {"not measured": "on a CPU"})
        return
    found = {"base, allocated GB": torch.cuda.memory_allocated() / 1e9}
    with mock.patch("lora.models.device.memory_gb", return_value=8.0):  # a large card saves none
        found |= _training(setting, base)
    for small in (True, False):
        kind = "as on a card of 8 GB" if small else "as on a large card"
        found |= {
            f"{kind}: {key}": value for key, value in _draw(setting, base, files[0], small=small).items()
        }
        found |= _peak(f"drawing one, {kind}")
        base.vae.to(base.device)
    setting.report("9 memory", found)


def _draw(setting: Setting, base: Base, data: bytes, *, small: bool) -> dict[str, float]:
    """Draw one; after each part, the peak so far and what is there."""
    found = {}

    def so_far(part: str) -> None:
        if setting.device.type == "cuda":
            torch.cuda.synchronize()
            found[f"  {part}, peak so far, GB"] = torch.cuda.max_memory_allocated() / 1e9
            found[f"  {part}, there, GB"] = torch.cuda.memory_allocated() / 1e9

    so_far("before")
    own = replace(base, captured=mixed_batches.made_for(base, small=small), _embeddings={})
    so_far("buffers and decoder made")
    for event in sampling.draw(own, setup.items([data], 0), steps=setting.steps):
        if isinstance(event, sampling.DrawProgress) and event.step == event.steps:
            so_far("steps")
    so_far("decoded")
    another = setup.items([data], 1)
    found["  another picture, s"] = setting.timed(lambda: setup.pictures(own, another, setting.steps))
    return found


def _training(setting: Setting, base: Base) -> dict[str, float]:
    what, plan = speed_training.job(setting, base, 1, steps=20, checkpoint_steps=20)
    found: dict[str, float] = {}
    preparing = True
    _peak("")
    for event in loop.train(base, what, plan):
        if preparing and isinstance(event, Progress) and event.loss is not None:
            preparing = False
            found |= {"steps began after, allocated GB": torch.cuda.max_memory_allocated() / 1e9}
        elif preparing and isinstance(event, Progress):
            last = torch.cuda.max_memory_allocated() / 1e9
            found["encoding, allocated GB"] = last
    return {**found, **_peak("training, batch 1")}


def _peak(name: str) -> dict[str, Any]:
    """The peaks since the last call; with a free start for the next part."""
    torch.cuda.synchronize()
    found = {
        f"{name}, allocated GB": torch.cuda.max_memory_allocated() / 1e9,
        f"{name}, reserved GB": torch.cuda.max_memory_reserved() / 1e9,
    }
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return found if name else {}
