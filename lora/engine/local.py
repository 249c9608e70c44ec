"""An engine of worker processes on this machine, one for each device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lora.engine import EngineSettings, WorkerGone
from lora.engine.worker_process import WorkerProcess
from lora.jobs import Event, Job

MAX_WAITING_EVENTS = 8  # while nobody takes them the workers wait: a Checkpoint may be 100 MB


class LocalEngine:
    """An Engine (see ``lora.engine``) that runs a ``WorkerProcess`` for each device."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._events: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._workers: dict[str, WorkerProcess] = {}

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [worker.pid for worker in self._workers.values() if worker.pid is not None]

    async def start(self) -> None:
        """Start the workers. A Ready of each follows when its base is loaded, after some seconds.

        With ``auto`` the first one says which devices there are, because only it imports torch; then the others
        are started.
        """
        self._events = asyncio.Queue(MAX_WAITING_EVENTS)
        for device in self._settings.devices:
            self._add(device)

    async def submit(self, job: Job, worker: str) -> None:
        """Hand a job to a worker. Raises OSError, JobError, WorkerGone."""
        if worker not in self._workers:
            raise WorkerGone(worker)
        await self._workers[worker].submit(job)

    async def cancel(self, job_id: int) -> None:
        """Send a Cancel to the worker that has the job, if there is one."""
        for worker in self._workers.values():
            if worker.has(job_id):
                await worker.cancel(job_id)

    async def events(self) -> AsyncIterator[Event]:
        """All events of the workers, and Lost when one dies or is replaced because it hangs."""
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.close() for worker in self._workers.values()))
        self._workers.clear()

    def _add(self, device: str) -> None:
        id = str(len(self._workers) + 1)
        self._workers[id] = WorkerProcess(
            self._settings,
            self._events,
            id=id,
            device=device,
            found=self._found,
            others_work=lambda: any(one.ready for one in self._workers.values() if one.id != id),
        )

    def _found(self, devices: tuple[str, ...]) -> None:
        """A worker has seen the machine's devices. With ``auto`` it works on the first of them itself."""
        if self._settings.devices == ("auto",) and len(self._workers) == 1:
            for device in devices[1:]:
                self._add(device)
