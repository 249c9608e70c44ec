"""An engine of one worker process on this machine. When the process dies, another one is started."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from lora.engine import EngineSettings, wire
from lora.engine.watchdog import TICK_SECONDS, Watchdog
from lora.jobs import Cancelled, Event, Failed, FileContent, Finished, Job, JobError, Lost, Trained

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is replaced; doubled each time
STEADY_AFTER = 60.0  # after a worker that lived this many seconds the first pause applies again
SECONDS_TO_CLOSE = 5.0  # then a worker that is to end is killed
MAX_WAITING_EVENTS = 8  # while nobody takes them the worker waits: a Checkpoint may be 100 MB


class LocalEngine:
    """An Engine (see ``lora.engine``) that runs ``python -m lora.engine.worker``."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._events: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._jobs: dict[int, int] = {}  # id -> attempt, of the jobs that the worker has
        self._worker: Process | None = None
        self._started = asyncio.Condition()
        # A job is larger than a pipe's buffer, so two writers would mix their frames.
        self._sending = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is no worker."""
        return self._worker.pid if self._worker else None

    async def start(self) -> None:
        """Start the worker. Ready follows when its base is loaded, after some seconds."""
        self._events = asyncio.Queue(MAX_WAITING_EVENTS)
        self._jobs.clear()
        self._keeper = asyncio.create_task(self._keep_running())

    async def submit(self, job: Job) -> None:
        """Hand over a job. While the worker is replaced, this waits for the new one. Raises OSError, JobError."""
        async with self._started:
            await self._started.wait_for(lambda: self._worker is not None)
            worker = self._worker
            self._jobs[job.id] = job.attempt
        try:
            await self._send(worker, job)
        except JobError:
            self._jobs.pop(job.id, None)
            raise

    async def cancel(self, job_id: int) -> None:
        """Send a Cancel, unless the worker does not have the job."""
        if job_id in self._jobs:
            await self._send(self._worker, wire.Cancel(job=job_id))

    async def events(self) -> AsyncIterator[Event]:
        """All events of the worker, and Lost when it dies or is replaced because it hangs."""
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
        """Write one frame to this worker, file by file. If it dies meanwhile, Lost names the job.

        Raises OSError if a file cannot be read. Zeros are sent in its place, so that the worker still finds the
        beginning of the next frame.
        """
        if worker is None or worker.stdin is None:
            return
        line, parts = wire.split(message)
        unreadable: OSError | None = None
        async with self._sending:
            with contextlib.suppress(ConnectionError):
                worker.stdin.write(line)
                for part in parts:
                    try:
                        worker.stdin.write(await _content(part))
                    except OSError as error:
                        if isinstance(error, ConnectionError) or isinstance(part, bytes):
                            raise
                        unreadable = unreadable or error
                        worker.stdin.write(bytes(part.size))
                    await worker.stdin.drain()
                await worker.stdin.drain()
        if unreadable is not None:
            raise unreadable

    async def _keep_running(self) -> None:
        """Run one worker after the other. The pause between them doubles as long as they die soon.

        Also if no process can be started, as without memory: then the jobs wait.
        """
        pause, logged = FIRST_PAUSE, ""
        while True:
            began = time.monotonic()
            try:
                worker = await asyncio.create_subprocess_exec(
                    *self._command(), stdin=PIPE, stdout=PIPE, env=_environment(), limit=wire.MAX_HEADER
                )
            except (OSError, RuntimeError) as error:
                # RuntimeError: no thread could be started that waits for the process.
                if str(error) != logged:
                    logged = str(error)
                    log.error("no worker can be started, trying again: %s", error)
            else:
                logged = ""
                await self._run(worker)
            if time.monotonic() - began > STEADY_AFTER:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run(self, worker: Process) -> None:
        """Use one worker until it ends or has to be replaced, then report its jobs as lost."""
        watchdog = Watchdog(
            silent_seconds=self._settings.silent_seconds, stuck_seconds=self._settings.stuck_seconds
        )
        watching = asyncio.create_task(self._watch(worker, watchdog))
        try:
            async with self._started:
                self._worker = worker
                self._started.notify_all()
            await self._read(worker, watchdog)
        except Exception as error:
            # A worker whose events cannot be read is of no use; the next one may be.
            log.error("the worker's events cannot be read", exc_info=error)
        finally:
            self._worker = None
            watching.cancel()
            await _end(worker)
        lost = tuple(self._jobs.items())
        self._jobs.clear()
        log.error("the worker ended with code %s, it had %d jobs", worker.returncode, len(lost))
        await self._events.put(Lost(jobs=lost))

    async def _watch(self, worker: Process, watchdog: Watchdog) -> None:
        """Kill the worker when the watchdog says so, which ends ``_read``."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._events.full():  # the worker may be waiting for whoever reads the events
                watchdog.hear(None)
            elif wrong := watchdog.tick():
                log.error("the worker %s and is replaced", wrong)
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
                if isinstance(event, Trained | Finished | Cancelled | Failed):
                    self._jobs.pop(event.job, None)
                await self._events.put(event)
        except (wire.WireError, ValueError, asyncio.LimitOverrunError) as error:
            log.error("the worker sent an invalid frame: %s", type(error).__name__)

    def _command(self) -> list[str]:
        one = self._settings
        flags = ["--base", one.base, "--cache-dir", str(one.cache_dir), "--device", one.device]
        flags += ["--threads", str(one.threads), "--nice", str(one.nice)]
        flags += ["--compile"] if one.compile else []
        return [sys.executable, "-m", "lora.engine.worker", *flags]


def _environment() -> dict[str, str]:
    """This process's environment without secrets, with ``lora`` on the path and the Hugging Face hub off.

    By default OpenMP threads wait for each other in a busy loop. On a machine that also runs the bot this made a step
    seven times slower, so they wait passively.
    """
    kept = {name: value for name, value in os.environ.items() if not re.search("TOKEN|SECRET|PASSWORD", name)}
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}


async def _content(part: bytes | FileContent) -> bytes:
    """The bytes of a part of a frame. Raises OSError, also if a file's size has changed."""
    if isinstance(part, bytes):
        return part
    content = await asyncio.to_thread(part.path.read_bytes)
    if len(content) != part.size:
        raise OSError(errno.EIO, "its size has changed", str(part.path))
    return content


async def _end(worker: Process) -> None:
    """Close the worker's stdin, which ends it; kill it if that does not."""
    if worker.stdin is not None:
        worker.stdin.close()
    try:
        await asyncio.wait_for(worker.wait(), SECONDS_TO_CLOSE)
    except TimeoutError:
        worker.kill()
        await worker.wait()
