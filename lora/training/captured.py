"""Training steps as CUDA graphs, that several people's trainings share (``shared_step``).

Eagerly a step of SD 2.1 is 4,600 kernels that Python launches one by one, and the GPU works 14 % (batch 1) to 41 %
(batch 8) of the time. The LoRA computes in the base's precision. The float32 values and moments of a training lie in
flat tensors, of which PEFT's weights and the optimizer's state are views. So files and checkpoints are made as always.

What belongs to one person is done for each training alone: its samples and noise, clipping, AdamW, learning rate,
average. So it is the same training within rounding, whoever else is trained beside it.

Of several processes (``distributed``), each replays the graph of its own pictures of the batch. Then gradient, loss and
halt are summed over the processes in one message, and each process takes the same step.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lora.adapters import lora_layers
from lora.jobs import JobError
from lora.models.graphs import fetched, sent
from lora.training.checkpoints import MOMENTS, Run
from lora.training.distributed import Processes
from lora.training.loss import EncodedSamples, Shown, StepNoise, loss_weights, shown, step_noise
from lora.training.lr_schedules import lr_multiplier
from lora.training.shared_step import shared_step

AHEAD = 2  # steps of a training whose losses have not been read: so many keep the GPU busy


class Step(NamedTuple):
    """A step that is done."""

    done: int  # steps so far
    loss: float
    seconds: float
    last: bool


def suits(run: Run, processes: int) -> bool:
    """Whether a training can be captured: on GPUs, if each process has pictures and takes them all at once.

    All processes of a training decide alike.
    """
    plan = run.plan
    at_once = plan.gradient_accumulation_steps == 1 and not plan.gradient_checkpointing
    return at_once and processes <= plan.batch_size and run.base.device.type == "cuda"


class CapturedTraining:
    """The steps of one training. Its PEFT weights and its optimizer's moments become views of flat tensors here.

    To be made after a resume has put both where they were.
    """

    def __init__(self, run: Run, samples: EncodedSamples, processes: Processes) -> None:
        self._run, self._samples, self._processes = run, samples, processes
        (self._own,) = processes.micro_batches(run.plan)
        self._shared = shared_step(
            run, tuple(samples.latent_mean.shape[2:]), self._own.stop - self._own.start
        )
        size = self._shared.denoiser.layout.size
        floats: dict[str, Any] = {"device": run.base.device, "dtype": torch.float32}
        self._values = torch.zeros(1, size, **floats)  # the float32 weights
        self._message = torch.zeros(size + 2, **floats)  # gradient, loss, and how many processes halt
        self._values.grad = self._message[:size].view(1, size)
        self._moments = {moment: torch.zeros(1, size, **floats) for moment in MOMENTS}
        self._steps = torch.zeros((), **floats)
        self._optimizer = self._adam()
        self._adopt()
        self._unread: deque[tuple[int, Tensor, Any]] = deque()  # as ``_read`` takes them
        self._next = self._end = 0
        self._stops: frozenset[int] = frozenset()
        self._resting = False  # until the caller has seen the weights of this step
        self._halt: threading.Event | None = None

    def steps(self, start: int, stops: Sequence[int], halt: threading.Event | None = None) -> Iterator[Step]:
        """Each step from ``start`` on. Other trainings that are alike do theirs meanwhile.

        A loss is read one step late, so that the GPU need not wait for it. But after a number of steps that is in
        ``stops``, and after the last, nothing is queued further: weights and moments are those of that step. All
        processes queue, read and halt alike. Raises JobError not-a-number; the step it was in has changed no weight.
        """
        self._next, self._end, self._stops, self._halt = start, self._run.plan.steps, frozenset(stops), halt
        counted = self._shared.busy
        with self._shared.joined(self):
            while self.wants or self._unread:
                with self._shared.working():
                    while self.wants:
                        self._shared.advance()
                    done, loss, halted = _read(*self._unread.popleft())
                if halted:
                    self._end = self._next
                seconds, counted = self._shared.busy - counted, self._shared.busy
                yield Step(done, loss, seconds, done == self._end)
                if not self._unread:
                    self._resting = False

    @property
    def wants(self) -> bool:
        """Whether it may do one more step now."""
        return self._next < self._end and len(self._unread) < AHEAD and not self._resting

    def show(self, used: Tensor) -> tuple[Shown, Tensor]:
        """Copy its weights into used [1, size]; what its next step shows, and what each error counts [n]."""
        base, plan = self._shared.base, self._run.plan
        values = vars(step_noise(base, self._samples, plan, self._next).part(self._own))
        noise = StepNoise(**{key: sent(value, base.device) for key, value in values.items()})
        used.copy_(self._values)
        return shown(base, self._samples, noise), loss_weights(base, plan, noise.timesteps)

    @torch.no_grad()
    def learn(self, gradient: Tensor, loss: Tensor) -> None:
        """Change its weights by a gradient [1, size] of this loss. What is not finite changes nothing."""
        run = self._run
        summed, halt = self._message[:-2], self._halt is not None and self._halt.is_set()
        summed.copy_(gradient[0])
        self._message[-2].copy_(loss)
        self._message[-1].fill_(halt)  # ``= halt`` would copy it from main memory and wait for the GPU
        self._processes.sum(self._message)
        norm = torch.linalg.vector_norm(summed)
        found = torch.cat((self._message[-2:], norm.view(1)))
        summed.mul_((run.plan.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
        self._optimizer.found_inf = 1 - torch.isfinite(found).all().float()  # type: ignore[attr-defined]
        self._optimizer.param_groups[0]["lr"] = run.plan.learning_rate * lr_multiplier(run.plan, self._next)
        self._optimizer.step()
        self._next += 1
        if run.ema:
            run.ema.update(self._next)
        self._unread.append((self._next, fetched(found), self._shared.mark()))
        self._resting = self._next in self._stops

    def _adam(self) -> torch.optim.AdamW:
        """AdamW on the flat weights; it has the plan's values, and state from the start."""
        plan = self._run.plan
        made = torch.optim.AdamW(
            [self._values],
            lr=plan.learning_rate,
            betas=(plan.adam_beta1, plan.adam_beta2),
            eps=plan.adam_epsilon,
            weight_decay=plan.adam_weight_decay,
            fused=True,
        )
        made.state[self._values] = {"step": self._steps, **self._moments}
        return made

    @torch.no_grad()
    def _adopt(self) -> None:
        """Take in PEFT's weights and the optimizer's moments, and make them views of the flat tensors."""
        run = self._run
        flat = self._shared.parts(self._values)
        moments = {moment: self._shared.parts(tensor) for moment, tensor in self._moments.items()}
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
        """PEFT's weights in the order of ``SharedStep.parts``."""
        weights = lora_layers.weights_of(self._run.base, self._run.adapter)
        places = self._shared.denoiser.layout.places
        return [weights[f"unet.{place.path}.lora_{half}.weight"] for place in places for half in "AB"]


def _read(done: int, found: Tensor, ready: Any) -> tuple[int, float, bool]:
    """Wait for a step: its number, its loss, and whether a process halts. Raises JobError not-a-number."""
    ready.synchronize()
    loss, halted, norm = found.tolist()
    if not math.isfinite(loss + norm):
        raise JobError("not-a-number", f"at step {done}")
    return done, loss, halted > 0
