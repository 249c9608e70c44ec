"""Hands jobs from the database to the engine, and writes the engine's events into the database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count

from bot import metrics
from bot.blobs import Blobs
from bot.config import Config
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.job_request import request
from bot.next_job import NextJob, Worker
from bot.state_log import StateLog
from bot.store import Store
from bot.supervise import run_all
from bot.tables import comparisons, cutouts, drawings, findings, jobs, line, losses, trainings
from bot.tables.jobs import Job, JobKind, JobState
from bot.telling import telling, telling_of
from bot.waiting import pause_after, waiting_helps
from lora.engine import Engine, WorkerGone
from lora.jobs import (
    JOB_ERRORS,
    Cancelled,
    CannotWork,
    Checkpoint,
    Compared,
    CutPicture,
    Drawn,
    Event,
    Failed,
    Findings,
    Finished,
    JobError,
    LeftOut,
    Lost,
    Progress,
    Ready,
    Trained,
)

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0  # seconds between tries while the disk or the database takes nothing
QUOTING = ("bad-adapter", "other-base")  # errors whose details quote what stands in somebody's file
CANNOT = {  # why a worker cannot work: for the log, and for the admins
    "base": ("its base cannot be loaded", "admin-worker-base"),
    "start": ("its process cannot be started", "admin-worker-start"),
}
LOSSES_TOLD, LOSSES_SECONDS = 3, 3600.0  # so many lost workers in so many seconds are told to the admins


class Dispatch:
    """Submits jobs to the engine and takes its events. Events of an attempt that is not running are ignored.

    ``notify`` is called with a person's id whenever one of their jobs has changed.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        store: Store,
        blobs: Blobs,
        config: Config,
        estimates: Estimates,
        example_prompt: ExamplePrompt,
        notify: Callable[[int], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._blobs = blobs
        self._config = config
        self._notify = notify
        self._example_prompt = example_prompt
        self._wake = asyncio.Event()
        self._next = NextJob(attempts=config.limits.attempts)
        self._newest = 0  # the highest id of a job that ``_next`` has been told of
        self._submitted: dict[int, float] = {}  # draws that are alone with their worker -> monotonic seconds
        self.devices: dict[str, str] = {}  # workers that take jobs -> what each computes on
        self._steps = metrics.Steps()
        self._gone = 0  # workers that were lost and are not back
        self._cannot: set[str] = set()  # why workers cannot work, as it was told
        self._lost: list[float] = []  # when workers were lost lately, monotonic seconds
        self._feeding = StateLog(log, "jobs are handed over again")
        self._taking = StateLog(log, "results of jobs are stored again")
        self.base: str | None = None  # hash of the workers' base; None until a worker has reported it
        self.layers: dict[str, tuple[int, ...]] = {}  # shapes of the base's layers by path; empty until then
        self.estimates = estimates

    def wake(self) -> None:
        """Look for a job to submit now."""
        self._wake.set()

    def draws_on_other_base(self, base: str | None) -> bool:
        """Whether the workers have another base than ``base`` (a hash); False if one of them is not known."""
        return None not in (base, self.base) and base != self.base

    async def run(self) -> None:
        """Start the engine and work until cancelled. May be called again after it has ended."""
        await losses.count_hand_over(self._store, attempts=self._config.limits.attempts)
        if waiting := await jobs.requeue_all(self._store):
            log.info("%d interrupted jobs are queued again", waiting)
        self._next = NextJob(attempts=self._config.limits.attempts)
        self._newest = 0
        await self._engine.start()
        try:
            await run_all({"hand over jobs": self._feed, "take events": self._listen})
        finally:
            await self._engine.close()
            with suppress(sqlite3.Error):  # what is not queued now is queued at the next start
                await jobs.requeue_all(self._store)  # this is no death: no hand-over is counted

    async def cancel(self, person: int, id: int) -> Job | None:
        """End a job of this person; None if it has ended before. Its worker stops after the current step."""
        job = await jobs.cancel(self._store, person, id)
        if job is not None:
            await self._engine.cancel(id)
            await self._tidy(job)
        return job

    async def stop(self, ended: Sequence[Job]) -> None:
        """Let the worker stop jobs whose rows have been ended."""
        for job in ended:
            await self._engine.cancel(job.id)
            await self._tidy(job)
            self._notify(job.person)

    async def _feed(self) -> None:
        """Give every worker what it is to have. A large job that is on its way to one keeps no other waiting."""
        async with asyncio.TaskGroup() as hand_overs:
            while True:
                await _until_it_works(self._feeding, partial(self._hand_over_all, hand_overs))
                await self._wake.wait()
                self._wake.clear()

    async def _hand_over_all(self, hand_overs: asyncio.TaskGroup) -> None:
        for row in await line.read(self._store, after=self._newest):
            self._newest = row.id
            if not row.running:
                self._next.wait(row)
        while (placed := self._next.choose()) is not None:
            job = await self._claim(placed.job)
            if job is None:
                placed.worker.receiving = False
            else:
                hand_overs.create_task(self._hand_over(job, placed.worker))

    async def _claim(self, row: line.InLine) -> Job | None:
        """The row as a running job; None if it does not wait any more."""
        try:
            job = await jobs.claim(self._store, row.kind, only=row.id)
        except BaseException:
            self._next.end(row.id)
            self._next.wait(row, first=True)
            raise
        if job is None:
            self._next.end(row.id)
        return job

    async def _hand_over(self, job: Job, worker: Worker) -> None:
        try:
            await _until_it_works(self._feeding, partial(self._submit, job, worker, tries=count()))
        finally:
            worker.receiving = False
            self.wake()
        self._notify(job.person)

    async def _submit(self, job: Job, worker: Worker, *, tries: Iterator[int]) -> None:
        """Hand a claimed job to the engine. A job whose own files cannot be read fails; no other does."""
        if next(tries) and await jobs.running_attempt(self._store, job.id, job.attempt) is None:
            await self._wait_again(job.id)  # before this second try it was cancelled or put back
            return
        if job.kind == JobKind.DRAW and len(worker.draws) == 1:
            self._submitted[job.id] = time.monotonic()
        try:
            steps = self._config.train.checkpoint_steps or None
            asked = await request(self._store, self._blobs, job, checkpoint_steps=steps)
            await self._engine.submit(asked, worker.id)
        except WorkerGone:
            await jobs.put_back(self._store, job.id, job.attempt)
            self._next.leave(worker.id)
            await self._wait_again(job.id)
            return
        except JobError as error:
            await self._end(job, JobState.FAILED, error.code)
            return
        except OSError as error:
            await self._engine.cancel(job.id)  # the worker may have the rest of it
            if waiting_helps(error):
                await jobs.put_back(self._store, job.id, job.attempt)
                raise
            text = "job %d: one of its files cannot be read: %s"
            log.error(text, job.id, error.strerror, extra=telling("admin-file-lost"))
            await self._end(job, JobState.FAILED, "stored-file")
            return
        if await jobs.handed_over(self._store, job.id, job.attempt) is None:
            await self._engine.cancel(job.id)  # the row was cancelled while the engine waited
        elif job.attempt == 1 and job.asked_at is not None:
            metrics.QUEUE_WAIT.labels(job.kind.value).observe(max(0.0, time.time() - job.asked_at))

    async def _wait_again(self, id: int) -> None:
        """A job that a worker had, or nearly had, waits at the front of the line if its row says that it waits."""
        if (row := await line.waiting(self._store, id)) is not None:
            self._next.end(id)
            self._next.wait(row, first=True)
            self.wake()

    async def _listen(self) -> None:
        async for event in self._engine.events():
            await _until_it_works(self._taking, partial(self._take_or_fail, event))

    async def _take_or_fail(self, event: Event) -> None:
        """Take an event. A job whose event cannot be taken fails; the events after it are taken."""
        try:
            await self._take(event)
        except Exception as error:
            if waiting_helps(error) or isinstance(event, Ready | Lost | LeftOut | CannotWork):
                raise
            log.error("job %d: %s cannot be taken", event.job, type(event).__name__, exc_info=error)
            job = await jobs.running_attempt(self._store, event.job, event.attempt)
            if job is not None:
                await self._engine.cancel(job.id)
                await self._end(job, JobState.FAILED, "internal")

    async def _take(self, event: Event) -> None:
        match event:
            case Ready():
                await self._join(event)
            case Lost():
                await self._lose(event)
            case CannotWork():
                self._cannot_work(event)
            case LeftOut():
                log.error(
                    "worker %s on %s died %d times and is left out until the bot is started again",
                    *(event.worker, event.device, event.deaths),
                    extra=telling(
                        "admin-worker-left-out",
                        worker=event.worker,
                        device=event.device,
                        n=event.deaths,
                    ),
                )
            case _:
                job = await jobs.running_attempt(self._store, event.job, event.attempt)
                if job is not None:
                    await self._take_of(job, event)
                    self._notify(job.person)

    async def _take_of(self, job: Job, event: Event) -> None:
        """Handle an event of the running attempt of a job."""
        match event:
            case Progress():
                self.estimates.progress(job.kind, event)
                self._steps.count(job, event)
            case Findings():
                await findings.store_all(self._store, job, event.findings)
            case Checkpoint():
                async with self._blobs.keep(event.adapter, event.state) as (adapter, state):
                    unused = await trainings.add_checkpoint(
                        self._store,
                        job,
                        step=event.step,
                        adapter=adapter,
                        state=state,
                        base=self.base,
                        bytes=len(event.adapter),
                    )
                await self._blobs.sweep(unused)
                now = await jobs.get(self._store, job.id)
                if now is not None and not now.suspect:
                    self._next.cleared(job.id)
                    self.wake()
            case Compared():
                async with self._blobs.keep(event.sheet) as (sheet,):
                    unused = await comparisons.add(
                        self._store,
                        job,
                        chosen=event.chosen,
                        scores=event.scores,
                        reasons=event.reasons,
                        sheet=sheet,
                    )
                await self._blobs.sweep(unused)
            case Drawn():
                pictures = [event.sticker] + [event.uncut] * bool(event.uncut)
                async with self._blobs.keep(*pictures) as (sticker, *uncut):
                    await drawings.add(
                        self._store,
                        job.id,
                        job.attempt,
                        position=event.index,
                        seed=event.seed,
                        blob=sticker,
                        uncut=uncut[0] if uncut else None,
                        background=event.background,
                    )
                metrics.PICTURES.inc()
            case CutPicture() if event.picture:
                async with self._blobs.keep(event.picture) as (cut,):
                    await cutouts.take(self._store, job, event.index, cut, len(event.picture))
            case Trained():
                if event.uncompared:
                    text = "job %d: its checkpoints could not be compared, the last one is taken: %s"
                    log.warning(text, job.id, JOB_ERRORS[event.uncompared])
                await self._end(job, JobState.DONE, note="note-uncompared" if event.uncompared else None)
            case Finished():
                if (began := self._submitted.get(job.id)) is not None:
                    self.estimates.drawn(job, time.monotonic() - began)
                await self._end(job, JobState.DONE)
            case Failed():
                detail = "" if event.code in QUOTING else event.detail
                log.warning("job %d (%s) failed: %s %s", job.id, job.kind, event.code, detail)
                await self._end(job, JobState.FAILED, event.code)
            case Cancelled():  # only if the engine cancelled by itself: ``cancel`` ends the row first
                await self._end(job, JobState.CANCELLED)

    def _cannot_work(self, event: CannotWork) -> None:
        """One line, and one notice, until a worker works."""
        if event.code not in self._cannot:
            self._cannot.add(event.code)
            what, key = CANNOT[event.code]
            text = "worker %s is tried again and again: %s: %s"
            log.error(text, event.worker, what, event.detail, extra=telling(key, worker=event.worker))

    async def _join(self, event: Ready) -> None:
        """A worker takes jobs, unless it has another base than the others: their adapters would not fit."""
        if self._next.workers and event.base_hash != self.base:
            log.error("worker %s has another base than the others and gets no jobs", event.worker)
            return
        log.info("worker %s ready: %s on %s", event.worker, event.base, event.device)
        self._cannot.clear()
        self.base = event.base_hash
        self.layers = dict(event.layers)
        await self.estimates.ready(event)
        await self._example_prompt.take(event.example_prompt)
        self._next.join(event.worker, trainings=event.trainings, draws=event.draws)
        self.devices[event.worker] = event.device
        if self._gone:
            self._gone -= 1
            metrics.WORKER_RESTARTS.inc()
        self._count_workers()
        self.wake()

    def _count_workers(self) -> None:
        workers = self._next.workers.values()
        self.estimates.workers = max(1, len(workers))
        self.estimates.trainings = max(1, sum(one.most_trainings for one in workers))

    async def _lose(self, event: Lost) -> None:
        """A worker is gone. ``NextJob`` finds out which of its jobs it died of."""
        self._next.leave(event.worker)
        self._count_workers()
        self.devices.pop(event.worker, None)
        self._gone += 1
        metrics.WORKER_LOSSES.inc()
        now = time.monotonic()
        self._lost = [at for at in self._lost if now - at < LOSSES_SECONDS] + [now]
        often = len(self._lost) >= LOSSES_TOLD
        extra = telling("admin-worker-lost", n=len(self._lost)) if often else None
        log.warning("worker %s was lost; it had %d jobs", event.worker, len(event.jobs), extra=extra)
        for job in await losses.lose(self._store, event.jobs, attempts=self._config.limits.attempts):
            await self._tidy(job)
            self._notify(job.person)
        for id, _ in event.jobs:
            await self._wait_again(id)

    async def _end(
        self, job: Job, state: JobState, error: str | None = None, note: str | None = None
    ) -> None:
        if await jobs.end(self._store, job.id, job.attempt, state, error, note):
            metrics.JOBS_ENDED.labels(job.kind.value, state.value).inc()
            await self._tidy(job)
            self._notify(job.person)

    async def _tidy(self, job: Job) -> None:
        """Delete what only a running job needs, and look for the next job."""
        self._submitted.pop(job.id, None)
        self._steps.forget(job.id)
        self._next.end(job.id)
        await self.estimates.ended(job.id)
        now = await jobs.get(self._store, job.id) if job.kind != JobKind.DRAW else None
        if now is not None and not now.active:
            unused = await trainings.drop_samples(self._store, job.id) + await trainings.drop_states(
                self._store, job.id
            )
            unused += await trainings.drop_outdated(self._store)
            await self._blobs.sweep(unused)
        self.wake()


async def _until_it_works(state: StateLog, work: Callable[[], Awaitable[None]]) -> None:
    """Try ``work`` again as long as the disk is full, the database is held, or the like."""
    number = 0
    while True:
        try:
            await work()
        except Exception as error:
            if not waiting_helps(error):
                raise
            text = f"jobs wait until this is over: {error}"
            state.fails(str(error), text, extra=telling_of(error))
            await asyncio.sleep(pause_after(error, number, longest=LONGEST_PAUSE))
            number += 1
        else:
            state.works()
            return
