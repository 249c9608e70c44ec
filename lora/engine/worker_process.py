"""One worker process on one device of this machine. When it dies, another one is started after a pause."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lora.engine import EngineSettings, WorkerGone, wire
from lora.engine.deaths import Deaths
from lora.engine.job_pipe import JobPipe
from lora.engine.openmp import waiting
from lora.engine.watchdog import TICK_SECONDS, Watchdog
from lora.jobs import (
    Cancelled,
    CannotWork,
    Event,
    Failed,
    Finished,
    Job,
    JobError,
    LeftOut,
    Lost,
    Ready,
    Trained,
)

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is replaced; doubled each time
STEADY_AFTER = 60.0  # after a worker that lived this many seconds the first pause applies again
PROGRAM = "lora.engine.worker"  # the module that a worker's process runs
SECONDS_TO_CLOSE = 5.0  # then a worker that is to end is killed


class WorkerProcess:
    """Keeps ``python -m lora.engine.worker`` running on a device.

    Its events go to ``events``. ``found`` is called with the names of this machine's devices when the process has
    seen them, ``others_work`` says whether another worker is ready.
    """

    def __init__(
        self,
        settings: EngineSettings,
        events: asyncio.Queue[Event],
        *,
        id: str,
        device: str,
        found: Callable[[tuple[str, ...]], None],
        others_work: Callable[[], bool],
    ) -> None:
        self.id = id
        self.ready = False  # it has loaded its base and lives
        self._settings = settings
        self._device = device
        self._events = events
        self._found = found
        self._others_work = others_work
        self._jobs: dict[int, int] = {}  # id -> attempt, of the jobs that the process has
        self._process: Process | None = None
        self._pipe: JobPipe | None = None  # to the process
        self._deaths = Deaths()
        self._keeper = asyncio.create_task(self._keep_running())

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return self._process.pid if self._process else None

    def has(self, job_id: int) -> bool:
        """Whether the process has this job."""
        return job_id in self._jobs

    async def submit(self, job: Job) -> None:
        """Hand over a job. Raises OSError, JobError, WorkerGone."""
        if self._pipe is None:
            raise WorkerGone(self.id)
        self._jobs[job.id] = job.attempt
        try:
            await _send(self._pipe, job)
        except JobError:
            self._jobs.pop(job.id, None)
            raise

    async def cancel(self, job_id: int) -> None:
        """Send a Cancel."""
        if self._pipe is not None:
            await _send(self._pipe, wire.Cancel(job=job_id))

    async def close(self) -> None:
        """End the process by closing its stdin; kill it if that does not help."""
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper

    async def _keep_running(self) -> None:
        """Run one worker after the other. The pause between them doubles as long as they die soon.

        Also if no process can be started, as without memory: then the jobs wait.
        """
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                worker, pipe = await self._start()
            except (OSError, RuntimeError) as error:
                # RuntimeError: no thread could be started that waits for the process.
                await self._events.put(CannotWork(worker=self.id, code="start", detail=str(error)))
            else:
                await self._run(worker, pipe)
                if self._deaths.too_many and self._others_work():
                    log.error("worker %s died %d times and is left out", self.id, len(self._deaths))
                    await self._events.put(
                        LeftOut(worker=self.id, device=self._device, deaths=len(self._deaths))
                    )
                    return
            if time.monotonic() - began > STEADY_AFTER:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _start(self) -> tuple[Process, JobPipe]:
        """Start a process. Raises OSError and RuntimeError."""
        pipe = JobPipe()
        try:
            worker = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=pipe.worker_end,
                stdout=PIPE,
                env=_environment(),
                limit=wire.MAX_HEADER,
            )
        except BaseException:
            pipe.close()
            raise
        finally:
            pipe.started()
        return worker, pipe

    async def _run(self, worker: Process, pipe: JobPipe) -> None:
        """Use one worker until it ends or has to be replaced, then report its jobs as lost."""
        watchdog = Watchdog(
            silent_seconds=self._settings.silent_seconds, stuck_seconds=self._settings.stuck_seconds
        )
        watching = asyncio.create_task(self._watch(worker, watchdog))
        try:
            self._process, self._pipe = worker, pipe
            await self._read(worker, watchdog)
        except Exception as error:
            # A worker whose events cannot be read is of no use; the next one may be.
            log.error("the worker's events cannot be read", exc_info=error)
        finally:
            self._process, self._pipe, self.ready = None, None, False
            watching.cancel()
            await _end(worker, pipe)
        lost = tuple(self._jobs.items())
        self._deaths.count(self._jobs)
        self._jobs.clear()
        log.error("worker %s ended with code %s, it had %d jobs", self.id, worker.returncode, len(lost))
        await self._events.put(Lost(worker=self.id, jobs=lost))

    async def _watch(self, worker: Process, watchdog: Watchdog) -> None:
        """Kill the worker when the watchdog says so, which ends ``_read``."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._events.full():  # the worker may be waiting for whoever reads the events
                watchdog.hear(None)
            elif wrong := watchdog.tick():
                log.error("worker %s %s and is replaced", self.id, wrong)
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                    worker.kill()
                return

    async def _read(self, worker: Process, watchdog: Watchdog) -> None:
        """Pass events on until the worker's stdout is closed or holds something else than frames."""
        assert worker.stdout is not None
        try:
            while (event := await wire.read_async(worker.stdout)) is not None:
                watchdog.hear(event)
                if isinstance(event, wire.Heartbeat):
                    continue
                if isinstance(event, wire.Devices):
                    self._found(event.names)
                    continue
                if isinstance(event, Ready):
                    self.ready, event = True, replace(event, worker=self.id)
                if isinstance(event, CannotWork):
                    event = replace(event, worker=self.id)
                if isinstance(event, Trained | Finished | Cancelled | Failed):
                    self._jobs.pop(event.job, None)
                await self._events.put(event)
        except (wire.WireError, ValueError, asyncio.LimitOverrunError) as error:
            log.error("the worker sent an invalid frame: %s", type(error).__name__)

    def _command(self) -> list[str]:
        one = self._settings
        flags = ["--base", one.base, "--cache-dir", str(one.cache_dir), "--device", self._device]
        flags += ["--threads", str(one.threads), "--nice", str(one.nice)]
        flags += ["--cutout", one.cutout, "--filter", one.filter, "--threshold", str(one.threshold)]
        flags += ["--compile"] if one.compile else []
        return [sys.executable, "-m", PROGRAM, *flags]


def _environment() -> dict[str, str]:
    """This process's environment without secrets, with ``lora`` on the path and the Hugging Face hub off."""
    kept = {name: value for name, value in os.environ.items() if not re.search("TOKEN|SECRET|PASSWORD", name)}
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return {**waiting(kept), **kept, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


async def _send(pipe: JobPipe, message: Job | wire.Cancel) -> None:
    """Write one frame. If the worker dies meanwhile, Lost names the job. Raises JobError, and OSError of a file."""
    frame = wire.split(message)
    with contextlib.suppress(ConnectionError):
        await pipe.send(frame)


async def _end(worker: Process, pipe: JobPipe) -> None:
    """Close the worker's stdin, which ends it; kill it if that does not."""
    pipe.close()
    try:
        await asyncio.wait_for(worker.wait(), SECONDS_TO_CLOSE)
    except TimeoutError:
        worker.kill()
        await worker.wait()
