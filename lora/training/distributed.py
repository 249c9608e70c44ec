"""Several processes train one adapter together (data parallel).

``accelerate launch`` and ``torchrun`` start them and set RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in
the environment. Every process draws the random values of the whole batch and works on its own pictures of it. The
gradients are summed over all processes, then every process takes the same step. So the losses are those of one process
with the same batch. On GPUs, each process replays a CUDA graph for its pictures (``lora.training.captured``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lora.training.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process's ``rank`` among ``world_size`` processes."""

    rank: int
    world_size: int

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0: the only process that writes files and prints."""
        return self.rank == 0

    def micro_batches(self, plan: Plan) -> list[slice]:
        """This process's pictures of each batch, in ``gradient_accumulation_steps`` slices without the empty ones."""
        count = self.world_size * plan.gradient_accumulation_steps
        ends = [plan.batch_size * number // count for number in range(count + 1)]
        first = self.rank * plan.gradient_accumulation_steps
        own = range(first, first + plan.gradient_accumulation_steps)
        return [slice(ends[number], ends[number + 1]) for number in own if ends[number] < ends[number + 1]]

    def sum(self, message: Tensor) -> None:
        """Sum a tensor over all processes, in place. On GPUs it is queued: nobody waits for it."""
        if self.world_size > 1:
            dist.all_reduce(message)

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The other processes wait until the main process has left it: they then find what it downloaded."""
        if not self.is_main:
            dist.barrier()
        yield
        if self.is_main and self.world_size > 1:
            dist.barrier()

    def all_reduce(self, weights: Sequence[nn.Parameter], loss: Tensor, halt: bool) -> tuple[Tensor, Tensor]:
        """Sum the gradients, in place, and the loss over all processes.

        Returns the summed loss, and in how many processes ``halt`` is set. All go in one message, a flat tensor
        of gradients, loss and halt. A process without pictures adds zeros.
        """
        halted = torch.full_like(loss, float(halt))
        if self.world_size == 1:
            return loss, halted
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        flat = torch.cat([*(grad.flatten() for grad in grads), loss.view(1), halted.view(1)])
        self.sum(flat)
        sums = flat[:-2].split([grad.numel() for grad in grads])
        for weight, summed in zip(weights, sums, strict=True):
            weight.grad = summed.view_as(weight)
        return flat[-2], flat[-1]


SINGLE_PROCESS = Processes(rank=0, world_size=1)


def from_environment() -> Processes:
    """The rank and world size that the launcher has set; without a launcher, a single process."""
    return Processes(rank=int(os.environ.get("RANK", 0)), world_size=int(os.environ.get("WORLD_SIZE", 1)))


def local_device(asked: str) -> str:
    """The device of this process. ``auto`` is its own GPU, or the CPU if ACCELERATE_USE_CPU is set."""
    if asked != "auto":
        return asked
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "y", "t", "on"):
        return "cpu"
    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return asked


@contextmanager
def process_group(processes: Processes, device: torch.device) -> Iterator[None]:
    """Connects the processes: with NCCL between GPUs, else with gloo. A single process needs no group."""
    if processes.world_size == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
