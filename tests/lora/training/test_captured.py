"""The captured step learns what the usual step learns. On a CPU the same code runs without a CUDA graph."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lora.adapters import lora_layers
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, TrainSettings
from lora.models.base_model import Base
from lora.training import captured, loop
from lora.training.plan import Plan, make_plan


def job(samples: tuple[Sample, ...], **changes: Any) -> Train:
    settings = TrainSettings(steps=6, batch_size=3, learning_rate=5e-3, rank=4, checkpoint_steps=3)
    return Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=replace(settings, **changes))


def run(
    base: Base, what: Train, how: Plan, monkeypatch: pytest.MonkeyPatch, *, fast: bool
) -> tuple[list[Any], list[float]]:
    """The checkpoints and the losses of a training."""
    monkeypatch.setattr(captured, "suits", lambda run, processes: fast)
    events = list(loop.train(base, what, how))
    losses = [one.loss for one in events if isinstance(one, Progress) and one.loss is not None]
    assert [one.step for one in events if isinstance(one, Progress) and one.loss is not None] == list(
        range(how.steps - len(losses) + 1, how.steps + 1)
    )
    return [one for one in events if isinstance(one, Checkpoint)], losses


def tensors(data: bytes) -> dict[str, Tensor]:
    from safetensors.torch import load

    return load(data)


@pytest.fixture(autouse=True)
def unchanged(base: Base) -> Iterator[None]:
    before = [(weight, weight.detach().clone()) for weight in base.unet.parameters()]
    yield
    lora_layers.activate(base, None)
    assert all(torch.equal(weight, value) for weight, value in before)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_targets": "attention", "alpha": 2.0},
        {"lora_targets": "attention+ff+conv", "ema_decay": 0.9, "snr_gamma": 5.0},
        {"max_grad_norm": 1e-3, "noise_offset": 0.1, "warmup_steps": 4, "schedule": "cosine"},
    ],
)
def test_the_captured_step_learns_the_same(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Same seeds, same losses, same weights and moments, up to rounding, whatever the plan says."""
    what = job(samples)
    how = replace(make_plan(base, what.settings, samples=len(samples)), **changes)
    theirs, their_losses = run(base, what, how, monkeypatch, fast=False)
    ours, our_losses = run(base, what, how, monkeypatch, fast=True)
    assert our_losses == pytest.approx(their_losses, rel=1e-4)
    assert [one.step for one in ours] == [one.step for one in theirs] == [3, 6]
    for mine, other in zip(ours, theirs, strict=True):
        for a, b in ((mine.adapter, other.adapter), (mine.state, other.state)):
            left, right = tensors(a), tensors(b)
            assert set(left) == set(right)
            for key, value in left.items():
                torch.testing.assert_close(value, right[key], atol=2e-4, rtol=2e-3, msg=key)
    first, last = (tensors(one.adapter) for one in (ours[0], ours[1]))
    assert all(not torch.equal(first[key], last[key]) for key in first)


def test_either_way_goes_on_from_the_others_checkpoint(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = job(samples)
    how = make_plan(base, what.settings, samples=len(samples))
    whole, _ = run(base, what, how, monkeypatch, fast=False)
    for begun, gone_on in ((True, False), (False, True), (True, True)):
        begin, _ = run(base, what, how, monkeypatch, fast=begun)
        end, _ = run(base, replace(what, resume=begin[0].state), how, monkeypatch, fast=gone_on)
        for key, value in tensors(end[-1].adapter).items():
            torch.testing.assert_close(value, tensors(whole[-1].adapter)[key], atol=2e-4, rtol=2e-3)


def test_what_is_no_number_changes_nothing(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training ends with the step's number, and the weights are those of before."""
    what = job(samples, learning_rate=1e38)
    how = replace(make_plan(base, what.settings, samples=len(samples)), warmup_steps=0)
    with pytest.raises(JobError, match="at step 2") as failed:
        run(base, what, how, monkeypatch, fast=True)
    assert failed.value.code == "not-a-number"


def test_the_base_may_be_used_between_steps(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drawing with another adapter between two steps changes nothing."""
    what = job(samples)
    how = make_plan(base, what.settings, samples=len(samples))
    alone, _ = run(base, what, how, monkeypatch, fast=True)
    last = None
    for event in loop.train(base, what, how):
        lora_layers.use_file(base, None)
        last = event if isinstance(event, Checkpoint) else last
    assert last is not None
    assert last.adapter == alone[-1].adapter


class Seen(TorchDispatchMode):
    """The names of the operations within it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(op))
        return op(*args, **(kwargs or {}))


def test_nothing_waits_for_the_gpu_while_a_step_is_queued(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value is read from a tensor, and none is copied from Python into one: either would wait for the pass."""
    learn, seen = captured.CapturedTraining.learn, Seen()

    def watched(self: captured.CapturedTraining, gradient: Tensor, loss: Tensor) -> None:
        with seen:
            learn(self, gradient, loss)

    monkeypatch.setattr(captured.CapturedTraining, "learn", watched)
    what = job(samples)
    run(base, what, make_plan(base, what.settings, samples=len(samples)), monkeypatch, fast=True)
    assert "aten._fused_adamw_.default" in seen.names
    assert not {name for name in seen.names if "lift_fresh" in name or "_local_scalar_dense" in name}
