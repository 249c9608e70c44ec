"""Engines: what runs jobs on hardware. A new engine is one file here and one line in ``ENGINES``.

Imports ``safety``, ``data``, ``models``, ``adapters``, ``drawing``, ``training``, ``checks`` and ``evaluation``.
The bot imports this file only; it imports no torch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lora.jobs import Event, Job


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What every engine needs to start its workers."""

    base: str  # a name, a diffusers folder or a single file (lora.models.sources); nothing is downloaded
    cache_dir: Path  # bundled weights are unpacked here
    devices: tuple[str, ...] = ("auto",)  # cpu, cuda:N: a worker for each; auto = every GPU, or else the CPU
    threads: int = 0  # CPU threads of a worker; 0 = all cores, divided by the number of GPUs
    compile: bool = False  # on a GPU: compile before the worker takes jobs
    nice: int = 10  # 0 to 19: how much a worker's processor time yields to other processes
    cluster: str = ""  # of the engine ray: HOST:PORT of a running cluster; "" = one on this machine alone
    worker_cpus: int = 2  # of the engine ray, where there is no GPU: CPUs of a worker
    cutout: str = "bundled"  # a name of lora.drawing.cutout, or the path of an ONNX file
    filter: str = "none"  # a name of lora.safety: what looks at samples and drawings
    threshold: float = 1.0  # the score from which the filter's picture is unsafe
    silent_seconds: float = 30.0  # a worker whose process has sent nothing for so long is replaced
    stuck_seconds: float = 900.0  # and one whose main loop has not gone on for so long


class WorkerGone(Exception):
    """The worker that a job was submitted to is not there any more. The job has not been handed over."""


class Engine(Protocol):
    """Takes jobs and gives events. The caller stores all state, because an engine may be lost at any time.

    Workers come and go: ``Ready`` names one that takes jobs, ``Lost`` one that does not any more.
    """

    async def start(self) -> None:
        """Start the workers. Returns at once; a ``Ready`` event follows when a worker can take jobs."""

    async def submit(self, job: Job, worker: str) -> None:
        """Hand a job to a worker. Its bytes may be ``lora.jobs.FileContent``: those are read one at a time.

        In a worker, draws go before trainings and between their steps. Raises OSError if a file cannot be read: the
        job must be cancelled then. Raises JobError if the job is too large, and WorkerGone.
        """

    async def cancel(self, job_id: int) -> None:
        """Ask for a job to stop. ``Cancelled`` follows, or another last event if the job ended before."""

    def events(self) -> AsyncIterator[Event]:
        """All events of the workers, for one reader. After ``Lost`` the engine starts the worker again by itself."""

    async def close(self) -> None:
        """End the workers at once. A training saves no further checkpoint."""


def _local(settings: EngineSettings) -> Engine:
    from lora.engine.local import LocalEngine

    return LocalEngine(settings)


def _ray(settings: EngineSettings) -> Engine:
    from lora.engine.ray import RayEngine

    return RayEngine(settings)


ENGINES: dict[str, Callable[[EngineSettings], Engine]] = {"local": _local, "ray": _ray}
