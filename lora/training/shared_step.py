"""One forward and backward pass for the trainings of several people at once, as a CUDA graph.

Each training is a group of the batch with an adapter of its own (``lora.adapters.slots``). No picture sees another one,
so the gradient of the sum of all losses is, for each training, the gradient of its own loss.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from lora.adapters.joined import TrainedAttention, TrainedHalves, halves_of, join
from lora.adapters.slot_layout import Place
from lora.adapters.slots import SlottedDenoiser
from lora.models.base_model import Base
from lora.models.device import is_roomy
from lora.models.graphs import Graphs, free_kept, keep, take_kept
from lora.models.lean.blocks import make_lean
from lora.training.checkpoints import Run
from lora.training.loss import Shown, errors_of

log = logging.getLogger(__name__)

BUCKETS = (1, 2, 4)  # trainings of one pass; three are padded to four
MOST_PICTURES = 8  # of one pass of several trainings: a GPU gains little by more
# Of memory on a card: a graph of SD 2.1 at batch 8 holds 10 GB, drawing and weights need as much.
KEEPING_GB = 40


def most_at_once(device: torch.device) -> int:
    """How many trainings a device does at once: on a card with little memory they go one after the other."""
    return BUCKETS[-1] if is_roomy(device) else 1


def keeps_last(device: torch.device) -> bool:
    """Whether a device keeps the graphs of the last training that ended, for the next one that is alike."""
    return is_roomy(device, KEEPING_GB)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """What trainings must have in common to share a pass."""

    rank: int
    alpha: float
    targets: str
    pictures: int  # of one step, in this process
    latents: tuple[int, ...]  # [channels, h, w]
    compiled: bool
    device: torch.device
    dtype: torch.dtype
    scheduler: Any  # the very object


class Shared(NamedTuple):
    """A denoiser whose layers have slots, what calls it, and which of its layers each attention may join."""

    denoiser: SlottedDenoiser
    unet: Any
    joined: dict[TrainedAttention, tuple[Place, ...]]


class Member(Protocol):
    """A training that shares passes."""

    @property
    def wants(self) -> bool:
        """Whether it may do one more step now."""

    def show(self, used: Tensor) -> tuple[Shown, Tensor]:
        """Copy its weights into used [1, size]; what its next step shows, and what each error counts [n]."""

    def learn(self, gradient: Tensor, loss: Tensor) -> None:
        """Change its weights by a gradient [1, size] of this loss."""


class SharedStep:
    """The fixed buffers and graphs of trainings that are alike.

    It exists as long as there are such trainings. A device that ``keeps_last`` then keeps it for the next one.
    """

    def __init__(self, base: Base, alike: Alike) -> None:
        self.denoiser, unet, joined = _denoiser_for(base, alike.rank, alike.targets)
        # ``captured`` refers to the base's own denoiser, with which this must go.
        self.base = replace(base, unet=unet, scheduler=_on_device(base), captured=None)
        self.alike = alike
        self.busy = 0.0  # seconds that its trainings have worked or waited for the GPU
        self._members: list[Member] = []
        rows = self._most = _rows(base.device, alike.pictures)
        like: dict[str, Any] = {"device": base.device, "dtype": base.dtype}
        self._used = torch.zeros(rows, self.denoiser.layout.size, **like)  # what the layers compute with
        self._gradient = torch.zeros_like(self._used)
        self._losses = torch.zeros(rows, device=base.device)
        self._shown: Shown | None = None
        self._weights = torch.zeros(rows * alike.pictures, device=base.device)
        self._graphs = Graphs(base.device)
        self._halves = TrainedHalves(self.denoiser, joined)

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Views of flat [n, size]: the lower and the upper half of each layer, [n, ...]."""
        return halves_of(flat, self.denoiser.layout.places)

    @contextmanager
    def joined(self, member: Member) -> Iterator[None]:
        """Within it, ``advance`` also does the steps of this training."""
        self._members.append(member)
        try:
            yield
        finally:
            self._members.remove(member)
            if not self._members:
                _end(self)

    @property
    def whole(self) -> bool:
        """Whether all was recorded, and memory was never short."""
        return self._most == len(self._used) and not self._graphs.failed

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the seconds within it as ``busy``."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.busy += time.monotonic() - began

    def advance(self) -> None:
        """One step of each training that wants one. If memory is short, fewer share a pass from then on."""
        waiting = [member for member in self._members if member.wants]
        while waiting:
            some = waiting[: self._most]
            try:
                self._pass(some)
            except torch.OutOfMemoryError:
                if free_kept():
                    continue
                if len(some) == 1:
                    raise
                self._most = len(some) // 2
                log.warning("GPU memory is short: at most %d trainings share a step", self._most)
                continue
            for row, member in enumerate(some):
                member.learn(self._gradient[row : row + 1], self._losses[row])
            waiting = waiting[len(some) :]

    def mark(self) -> Any:
        """Something whose ``synchronize`` waits for all that was queued until now."""
        return self._graphs.mark()

    def _pass(self, some: Sequence[Member]) -> None:
        """Losses and gradients of some trainings, in rows of the buffers. Nothing of a training changes."""
        size = self.alike.pictures
        for row, member in enumerate(some):
            given, weights = member.show(self._used[row : row + 1])
            own = slice(row * size, (row + 1) * size)
            self._put(given, own)
            self._weights[own].copy_(weights)
        bucket = next(size for size in BUCKETS if size >= len(some))
        self._graphs.run((bucket,), partial(self._work, bucket))

    def _put(self, given: Shown, rows: slice) -> None:
        if self._shown is None:
            room = len(self._used)
            buffers = {key: torch.cat([value] * room) for key, value in vars(given).items()}
            self._shown = Shown(**buffers)
        for key, value in vars(given).items():
            getattr(self._shown, key)[rows].copy_(value)

    def _work(self, count: int) -> None:
        assert self._shown is not None
        rows = slice(0, count * self.alike.pictures)
        scale = self.alike.alpha / self.alike.rank
        with self._halves.bound(self._used[:count], scale) as leaves:
            errors = errors_of(self.base, self._shown.part(rows)) * self._weights[rows]
            losses = errors.unflatten(0, (count, -1)).sum(1)
            gradients = torch.autograd.grad(losses.sum(), leaves)
        with torch.no_grad():
            torch._foreach_copy_(self._halves.of(self._gradient[:count]), list(gradients))
            self._losses[:count].copy_(losses)


def _rows(device: torch.device, pictures: int) -> int:
    """How many trainings share one pass: a power of two, as the buckets are."""
    room = max(1, MOST_PICTURES // pictures)
    if device.type == "cuda":
        room = min(room, most_at_once(device))
    return max(size for size in BUCKETS if size <= room)


# By the base's own denoiser: what trainings share now, and their denoisers, so that what the compiler wrote for one
# training serves the next.
_shared: WeakKeyDictionary[Any, dict[Alike, SharedStep]] = WeakKeyDictionary()
_denoisers: WeakKeyDictionary[Any, dict[tuple[int, str, bool], Shared]] = WeakKeyDictionary()


def shared_step(run: Run, latents: tuple[int, ...], pictures: int) -> SharedStep:
    """The one that a training, of so many ``pictures`` a step, shares with those that are alike and run now."""
    base, plan = run.base, run.plan
    alike = Alike(
        rank=plan.rank,
        alpha=plan.alpha,
        targets=plan.lora_targets,
        pictures=pictures,
        latents=latents,
        compiled=base.compiled,
        device=base.device,
        dtype=base.dtype,
        scheduler=base.scheduler,
    )
    known = _shared.setdefault(base.unet, {})
    if alike not in known:
        kept = take_kept(base.unet)
        known[alike] = kept if kept is not None and kept.alike == alike else SharedStep(base, alike)
    return known[alike]


def _end(ended: SharedStep) -> None:
    """Its graphs hold the memory of a whole pass: they are freed, or kept for the next training if there is room."""
    for network, known in list(_shared.items()):
        if known.get(ended.alike) is ended:
            del known[ended.alike]
            if keeps_last(ended.base.device) and ended.whole:
                ended.busy = 0.0
                keep(network, ended)


def _denoiser_for(base: Base, rank: int, targets: str) -> Shared:
    """The denoiser of all trainings of these layers. The compiler joins products by itself."""
    known = _denoisers.setdefault(base.unet, {})
    key = rank, targets, base.compiled
    if key not in known:
        made = SlottedDenoiser(base.unet, rank=rank, targets=targets)
        make_lean(made.unet)
        if base.compiled:
            known[key] = Shared(made, torch.compile(made.unet, dynamic=False), {})
        else:
            known[key] = Shared(made, made.unet, join(made))
    return known[key]


def _on_device(base: Base) -> Any:
    """The base's scheduler with its noise levels on the device."""
    scheduler = copy.copy(base.scheduler)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(base.device)
    return scheduler
