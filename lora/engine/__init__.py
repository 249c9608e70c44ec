"""What runs jobs on hardware. An engine is one file here and one line in ``ENGINES``.

Imports ``data``, ``models``, ``adapters``, ``drawing``, ``training``, ``checks`` and ``evaluation``. What the bot
uses (this file) imports no torch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lora.jobs import Event, Job


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What every engine needs to know to start its workers."""

    base: str  # as lora.models.sources knows it: a name, a diffusers folder, a single file; never downloaded
    cache_dir: Path  # where bundled weights are unpacked
    device: str = "auto"  # auto | cpu | cuda | cuda:N
    threads: int = 0  # CPU threads of a worker; 0 = all cores
    outline_px: int = 8  # the white outline of finished stickers; 0 = none


class Engine(Protocol):
    """Takes jobs, gives events. All state that matters is the caller's: an engine may be lost at any time."""

    async def start(self) -> None:
        """Start the workers. Returns at once; a ``Ready`` event follows when a worker can take jobs."""

    async def submit(self, job: Job) -> None:
        """Hand over a job. It may wait inside: draws go before and between the steps of trainings."""

    async def cancel(self, job_id: int) -> None:
        """Ask for a job to stop; a ``Cancelled`` event follows, or its end if that came first."""

    def events(self) -> AsyncIterator[Event]:
        """Everything the workers say, for one reader. After a ``Lost`` the engine restarts its worker itself."""

    async def close(self) -> None:
        """End the workers. A training ends between two steps, without a last checkpoint."""


def _local(settings: EngineSettings) -> Engine:
    from lora.engine.local import LocalEngine

    return LocalEngine(settings)


ENGINES: dict[str, Callable[[EngineSettings], Engine]] = {"local": _local}
