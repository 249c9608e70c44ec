"""CUDA graphs: work that is recorded once and replayed, without Python launching each of its kernels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Graphs:
    """CUDA graphs by a key, recorded on first use. What cannot be recorded, and all on a CPU, runs as it is."""

    def __init__(self, device: torch.device) -> None:
        self.failed = False  # whether something could not be recorded
        self._on_gpu = device.type == "cuda"
        self._device = device
        self._graphs: dict[tuple[Any, ...], Any] = {}
        self._pool: Any = None
        self._stream: Any = None

    def run(self, key: tuple[Any, ...], work: Callable[[], None]) -> None:
        """Do the work, from fixed buffers to fixed buffers, by replaying its graph."""
        self.record(key, work)
        graph = self._graphs[key]
        if graph is None:
            work()
        else:
            graph.replay()

    def record(self, key: tuple[Any, ...], work: Callable[[], None]) -> None:
        """Record the graph of a key, if there is none. The work runs once before that."""
        if key not in self._graphs:
            self._graphs[key] = self._tried(key, work) if self._on_gpu else None

    def _tried(self, key: tuple[Any, ...], work: Callable[[], None]) -> Any:
        """The graph, or None if it cannot be recorded."""
        try:
            return self._recorded(work)
        except RuntimeError as error:
            self._pool = None  # the memory of a graph that failed cannot be used for the next one
            torch.cuda.synchronize(self._device)
            why, short = str(error).partition("\n")[0], isinstance(error, torch.OutOfMemoryError)
        if short and free_kept():
            return self._tried(key, work)
        self.failed = True
        log.warning("no CUDA graph of %s, it runs without: %s", key, why)
        return None

    def has(self, key: tuple[Any, ...]) -> bool:
        """Whether ``record`` has seen the key."""
        return key in self._graphs

    def forget(self, which: Callable[[tuple[Any, ...]], bool]) -> None:
        """Record some graphs anew on their next use."""
        for key in [key for key in self._graphs if which(key)]:
            del self._graphs[key]

    def mark(self) -> Any:
        """Something whose ``synchronize`` waits for all that was queued until now."""
        return mark(self._device)

    def _recorded(self, work: Callable[[], None]) -> Any:
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # graphs that share memory must share the stream
        own = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(own)
        # Once is enough. It makes what is made on first use, which cannot be recorded: handles and workspaces of this
        # stream, and kernels that the compiler writes and Triton tunes, those of the backward pass too.
        with torch.cuda.stream(self._stream):
            work()
        own.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            work()
        self._pool = graph.pool()
        return graph


def mark(device: torch.device) -> Any:
    """Something whose ``synchronize`` waits for all that was queued on a device until now."""
    if device.type != "cuda":
        return _Done
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(device))
    return event


def sent(value: Tensor, device: torch.device) -> Tensor:
    """A copy on the device that nobody waits for."""
    return value.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else value.clone()


def fetched(value: Tensor) -> Tensor:
    """A copy in main memory, complete when all that is queued now is done (``Graphs.mark``)."""
    if value.device.type != "cuda":
        return value.clone()
    return torch.empty_like(value, device="cpu", pin_memory=True).copy_(value, non_blocking=True)


# What is kept on a GPU only to save time later, by the network with which it goes; at most one thing.
_kept: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def keep(network: Any, value: Any) -> None:
    """Keep a value with graphs as long as its network, to which it must not refer. What was kept before is freed."""
    free_kept()
    _kept[network] = value


def take_kept(network: Any) -> Any:
    """What is kept for a network, or None; nothing is kept from then on."""
    value = _kept.get(network)
    free_kept()
    return value


def free_kept() -> bool:
    """Free what is kept: whether there was anything, so that work that ran out of memory can be tried again."""
    found = bool(_kept)
    _kept.clear()
    return found


class _Done:
    @staticmethod
    def synchronize() -> None:
        """Nothing is queued on a CPU."""
