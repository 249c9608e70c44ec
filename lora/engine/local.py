"""An engine of one worker process on this machine. When the process dies, another one is started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import lora
from lora.engine import EngineSettings, wire
from lora.jobs import Cancelled, Event, Failed, Finished, Job, Lost, Trained

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is replaced; doubled each time
STEADY_AFTER = 60.0  # after a worker that lived this many seconds the first pause applies again
SECONDS_TO_CLOSE = 5.0  # then a worker that is to end is killed


class LocalEngine:
    """An Engine (see ``lora.engine``) that runs ``python -m lora.engine.worker``."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._jobs: dict[int, int] = {}  # id -> attempt, of the jobs that the worker has
        self._worker: Process | None = None
        self._started = asyncio.Condition()
        self._sending = (
            asyncio.Lock()
        )  # a job is larger than a pipe's buffer, so two writers would mix their frames
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is no worker."""
        return self._worker.pid if self._worker else None

    async def start(self) -> None:
        """Start the worker. Ready follows when its base is loaded, after some seconds."""
        self._keeper = asyncio.create_task(self._keep_running())

    async def submit(self, job: Job) -> None:
        """Hand over a job. While the worker is replaced, this waits for the new one."""
        async with self._started:
            await self._started.wait_for(lambda: self._worker is not None)
            worker = self._worker
            self._jobs[job.id] = job.attempt
        await self._send(worker, job)

    async def cancel(self, job_id: int) -> None:
        """Send a Cancel, unless the worker does not have the job."""
        if job_id in self._jobs:
            await self._send(self._worker, wire.Cancel(job=job_id))

    async def events(self) -> AsyncIterator[Event]:
        """All events of the worker, and Lost when it dies."""
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        """End the worker by closing its stdin; kill it if that does not help."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        self._keeper = None

    async def _send(self, worker: Process | None, message: Job | wire.Cancel) -> None:
        """Write one frame to this worker. If it dies meanwhile, Lost names the job."""
        if worker is None or worker.stdin is None:
            return
        frame = await asyncio.to_thread(wire.pack, message)
        async with self._sending:
            with contextlib.suppress(ConnectionError):
                worker.stdin.write(frame)
                await worker.stdin.drain()

    async def _keep_running(self) -> None:
        """Run one worker after the other. The pause between them doubles as long as they die soon."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            worker = await asyncio.create_subprocess_exec(
                *self._command(), stdin=PIPE, stdout=PIPE, env=_environment(), limit=wire.MAX_HEADER
            )
            try:
                async with self._started:
                    self._worker = worker
                    self._started.notify_all()
                await self._read(worker)
            finally:
                self._worker = None
                await _end(worker)
            lost = tuple(self._jobs.items())
            self._jobs.clear()
            log.error("the worker ended with code %s, it had %d jobs", worker.returncode, len(lost))
            self._events.put_nowait(Lost(jobs=lost))
            if time.monotonic() - began > STEADY_AFTER:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _read(self, worker: Process) -> None:
        """Pass events on until the worker's stdout is closed or holds something else than frames."""
        assert worker.stdout is not None
        try:
            while (event := await wire.read_async(worker.stdout)) is not None:
                if isinstance(event, Trained | Finished | Cancelled | Failed):
                    self._jobs.pop(event.job, None)
                self._events.put_nowait(event)
        except (wire.WireError, ValueError, asyncio.LimitOverrunError) as error:
            log.error("the worker sent an invalid frame: %s", type(error).__name__)

    def _command(self) -> list[str]:
        settings = self._settings
        return [
            *(sys.executable, "-m", "lora.engine.worker", "--base", settings.base),
            *("--cache-dir", str(settings.cache_dir), "--device", settings.device),
            *("--threads", str(settings.threads)),
        ]


def _environment() -> dict[str, str]:
    """This process's environment without secrets, with ``lora`` on the path and the Hugging Face hub off.

    By default OpenMP threads wait for each other in a busy loop. On a machine that also runs the bot this made a step
    seven times slower, so they wait passively.
    """
    kept = {name: value for name, value in os.environ.items() if not re.search("TOKEN|SECRET|PASSWORD", name)}
    root = str(Path(lora.__file__).parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


async def _end(worker: Process) -> None:
    """Close the worker's stdin, which ends it; kill it if that does not."""
    if worker.stdin is not None:
        worker.stdin.close()
    try:
        await asyncio.wait_for(worker.wait(), SECONDS_TO_CLOSE)
    except TimeoutError:
        worker.kill()
        await worker.wait()
