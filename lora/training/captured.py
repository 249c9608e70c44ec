"""One training step as a single CUDA graph: noising, denoiser, backward pass, clipping and AdamW on one flat tensor.

Eagerly a step of SD 2.1 is 4,600 kernels that Python launches one by one, and the GPU works 14 % (batch 1) to 41 %
(batch 8) of the time. The LoRA computes in the base's precision; its float32 values, gradients and moments lie in flat
tensors, of which PEFT's weights and the optimizer's state are views. So files and checkpoints are made as always.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from lora.adapters import lora_layers
from lora.adapters.slots import SlottedDenoiser
from lora.jobs import JobError
from lora.models.base_model import Base
from lora.models.graphs import Graphs
from lora.training.checkpoints import MOMENTS, Run
from lora.training.loss import EncodedSamples, StepNoise, loss_of, step_noise
from lora.training.lr_schedules import lr_multiplier


def suits(run: Run, processes: int) -> bool:
    """Whether a training can be captured: on one GPU, with the whole batch at once."""
    alone = (
        processes == 1 and run.plan.gradient_accumulation_steps == 1 and not run.plan.gradient_checkpointing
    )
    return alone and run.base.device.type == "cuda"


# The denoisers of trainings by the base's own: what the compiler wrote for one training serves the next.
_denoisers: WeakKeyDictionary[Any, dict[tuple[int, str, bool], tuple[SlottedDenoiser, Any]]] = (
    WeakKeyDictionary()
)


def denoiser_for(base: Base, rank: int, targets: str) -> tuple[SlottedDenoiser, Any]:
    """The denoiser that trainings of these layers share, one after the other, and what calls it."""
    known = _denoisers.setdefault(base.unet, {})
    key = rank, targets, base.compiled
    if key not in known:
        made = SlottedDenoiser(base.unet, rank=rank, targets=targets)
        known[key] = made, torch.compile(made.unet, dynamic=False) if base.compiled else made.unet
    return known[key]


class CapturedStep:
    """The steps of one training. Its PEFT weights and its optimizer's moments become views of flat tensors here.

    To be made after a resume has put both where they were.
    """

    def __init__(self, run: Run, samples: EncodedSamples) -> None:
        self._run, self._samples = run, samples
        base = run.base
        self._denoiser, unet = denoiser_for(base, run.plan.rank, run.plan.lora_targets)
        self._base = replace(base, unet=unet, scheduler=_on_device(base))
        size = self._denoiser.layout.size
        floats: dict[str, Any] = {"device": base.device, "dtype": torch.float32}
        self._values = torch.zeros(1, size, **floats)  # the float32 weights
        self._gradient = torch.zeros(1, size, **floats)
        self._moments = {moment: torch.zeros(1, size, **floats) for moment in MOMENTS}
        self._steps = torch.zeros((), **floats)
        self._learning_rate = torch.zeros((), **floats)
        self._found = torch.zeros(2, **floats)  # the last step's loss, and the norm of its gradient
        self._optimizer = self._adam()
        self._adopt()
        self._used = self._values.to(base.dtype)  # what the layers compute with
        self._leaves = self._bind()
        self._raw = torch.zeros(1, size, device=base.device, dtype=base.dtype)
        self._raw_parts = self._parts(self._raw)
        self._noise: StepNoise | None = None
        self._graphs = Graphs(base.device)

    def steps(
        self, start: int, stops: Sequence[int], halt: threading.Event | None = None
    ) -> Iterator[tuple[int, float, bool]]:
        """(steps done, loss, whether it is the last) of each step from ``start`` on.

        A loss is read one step late, so that the GPU need not wait for it. But after a number of steps that is in
        ``stops``, and after the last, nothing is queued further: weights and moments are those of that step. Raises
        JobError not-a-number; the step it was in has changed no weight.
        """
        steps, late = self._run.plan.steps, None
        for step in range(start, steps):
            self._queue(step)
            this = step + 1, _fetched(self._found), self._graphs.mark()
            if late is not None:
                yield *_read(*late), False
            late = this
            ended = step + 1 == steps or (halt is not None and halt.is_set())
            if ended or step + 1 in stops:
                yield *_read(*this), ended
                late = None
            if ended:
                return

    def _queue(self, step: int) -> None:
        run = self._run
        self._show(step_noise(self._base, self._samples, run.plan, step))
        self._learning_rate.fill_(run.plan.learning_rate * lr_multiplier(run.plan, step))
        self._record()
        self._graphs.run(("step",), self._work)
        if run.ema:
            run.ema.update(step + 1)

    def _show(self, noise: StepNoise) -> None:
        """Put a step's chance into the fixed buffers."""
        device = self._base.device
        fresh = {key: _sent(value, device) for key, value in vars(noise).items()}
        if self._noise is None:
            self._noise = StepNoise(**fresh)
            return
        for key, value in fresh.items():
            getattr(self._noise, key).copy_(value)

    def _record(self) -> None:
        """Record the step, which runs it a few times, and take those back."""
        if self._graphs.has(("step",)):
            return
        state = [self._values, self._used, self._steps, *self._moments.values()]
        before = [tensor.detach().clone() for tensor in state]
        self._graphs.record(("step",), self._work)
        with torch.no_grad():
            for tensor, value in zip(state, before, strict=True):
                tensor.copy_(value)

    def _work(self) -> None:
        """One step, from fixed buffers to fixed buffers. A step whose numbers are not finite changes nothing."""
        assert self._noise is not None
        plan = self._run.plan
        loss = loss_of(self._base, self._samples, plan, self._noise)
        gradients = torch.autograd.grad(loss, self._leaves)
        with torch.no_grad():
            torch._foreach_copy_(self._raw_parts, list(gradients))
            self._gradient.copy_(self._raw)
            norm = torch.linalg.vector_norm(self._gradient)
            self._found.copy_(torch.stack((loss.detach(), norm)))
            self._gradient.mul_((plan.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
            self._optimizer.found_inf = 1 - torch.isfinite(self._found).all().float()  # type: ignore[attr-defined]
            self._optimizer.step()
            self._used.copy_(self._values)

    def _adam(self) -> torch.optim.AdamW:
        """AdamW on the flat weights, that a graph can hold; it has the plan's values, and state from the start."""
        plan, on_gpu = self._run.plan, self._base.device.type == "cuda"
        self._values.grad = self._gradient
        made = torch.optim.AdamW(
            [self._values],
            lr=self._learning_rate,
            betas=(plan.adam_beta1, plan.adam_beta2),
            eps=plan.adam_epsilon,
            weight_decay=plan.adam_weight_decay,
            fused=True,
            capturable=on_gpu,
        )
        made.state[self._values] = {"step": self._steps, **self._moments}
        return made

    @torch.no_grad()
    def _adopt(self) -> None:
        """Take in PEFT's weights and the optimizer's moments, and make them views of the flat tensors."""
        run = self._run
        flat = self._parts(self._values)
        moments = {moment: self._parts(tensor) for moment, tensor in self._moments.items()}
        for number, weight in enumerate(self._in_order()):
            known = run.optimizer.state.get(weight, {})
            if known:
                self._steps.copy_(known["step"])
            views = {}
            for moment, parts in moments.items():
                views[moment] = parts[number].view(weight.shape)
                if moment in known:
                    views[moment].copy_(known[moment])
            run.optimizer.state[weight] = {"step": self._steps, **views}
            view = flat[number].view(weight.shape)
            view.copy_(weight)
            weight.data = view

    def _in_order(self) -> list[nn.Parameter]:
        """PEFT's weights in the order of ``_parts``."""
        weights = lora_layers.weights_of(self._run.base, self._run.adapter)
        places = self._denoiser.layout.places
        return [weights[f"unet.{place.path}.lora_{half}.weight"] for place in places for half in "AB"]

    def _parts(self, flat: Tensor) -> list[Tensor]:
        """Views of flat [1, size]: the lower and the upper half of each layer, [1, ...]."""
        return [
            part
            for place in self._denoiser.layout.places
            for part in (place.down_of(flat), place.up_of(flat))
        ]

    def _bind(self) -> list[Tensor]:
        """Give the layers their halves, of which gradients are asked."""
        leaves = [part.detach().requires_grad_() for part in self._parts(self._used)]
        for number, place in enumerate(self._denoiser.layout.places):
            layer = self._denoiser.layers[place.path]
            layer.down, layer.up = leaves[2 * number], leaves[2 * number + 1]
        self._denoiser.use_groups(1, self._run.plan.alpha / self._run.plan.rank)
        return leaves


def _on_device(base: Base) -> Any:
    """The base's scheduler with its noise levels on the device."""
    scheduler = copy.copy(base.scheduler)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(base.device)
    return scheduler


def _sent(value: Tensor, device: torch.device) -> Tensor:
    """A copy on the device that nobody waits for."""
    return value.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else value.clone()


def _fetched(value: Tensor) -> Tensor:
    """A copy in main memory, complete when all that is queued now is done."""
    if value.device.type != "cuda":
        return value.clone()
    return torch.empty_like(value, device="cpu", pin_memory=True).copy_(value, non_blocking=True)


def _read(done: int, found: Tensor, ready: Any) -> tuple[int, float]:
    """Wait for a step's loss. Raises JobError not-a-number."""
    ready.synchronize()
    loss, norm = found.tolist()
    if not math.isfinite(loss + norm):
        raise JobError("not-a-number", f"at step {done}")
    return done, loss
