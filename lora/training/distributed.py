"""Several processes that train one adapter together: who is who, what each works on, how they add it up.

``accelerate launch`` and ``torchrun`` start them and say so in the environment (RANK, LOCAL_RANK, WORLD_SIZE,
MASTER_ADDR, MASTER_PORT). Every process draws the same lots for the whole batch and works on its part of it; the
gradients are added up, and then each takes the same step. So the curve is that of one process with that batch.
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
    """This process's number among ``count``. Number 0 alone writes files and talks."""

    rank: int
    count: int

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    def parts(self, how: Plan) -> list[slice]:
        """This process's pictures of each batch, in the portions that are worked on one after the other."""
        pieces = self.count * how.portions
        ends = [how.batch_size * piece // pieces for piece in range(pieces + 1)]
        mine = range(self.rank * how.portions, (self.rank + 1) * how.portions)
        return [slice(ends[piece], ends[piece + 1]) for piece in mine if ends[piece] < ends[piece + 1]]

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The others wait until the leading process is through: what it downloads or unpacks is there for them."""
        if not self.leads:
            dist.barrier()
        yield
        if self.leads and self.count > 1:
            dist.barrier()

    def add_up(self, weights: Sequence[nn.Parameter], loss: Tensor, halt: bool) -> tuple[Tensor, Tensor]:
        """Sum gradients and loss over all processes; the second result is over 0 if any of them wants to halt.

        One message: gradients, loss and wish in one flat tensor. A process without pictures adds zeros.
        """
        wish = torch.full_like(loss, float(halt))
        if self.count == 1:
            return loss, wish
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
        flat = torch.cat([*(grad.flatten() for grad in grads), loss.view(1), wish.view(1)])
        dist.all_reduce(flat)
        pieces = flat[:-2].split([grad.numel() for grad in grads])
        for weight, piece in zip(weights, pieces, strict=True):
            weight.grad = piece.view_as(weight)
        return flat[-2], flat[-1]


SINGLE_PROCESS = Processes(rank=0, count=1)


def from_environment() -> Processes:
    """Who this process is, as its launcher says; without one it is alone."""
    return Processes(rank=int(os.environ.get("RANK", 0)), count=int(os.environ.get("WORLD_SIZE", 1)))


def local_device(asked: str) -> str:
    """``auto`` as the launcher means it: a GPU of its own for each process, or none at all."""
    if asked != "auto":
        return asked
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "y", "t", "on"):
        return "cpu"
    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return asked


@contextmanager
def process_group(ranks: Processes, device: torch.device) -> Iterator[None]:
    """The processes can reach each other: over NCCL between GPUs, else over gloo."""
    if ranks.count == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
