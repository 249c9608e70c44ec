"""Hands jobs from the database to the engine, and writes the engine's events into the database."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from bot.blobs import Blobs
from bot.config import Config
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.job_request import request
from bot.next_job import next_job
from bot.state_log import StateLog
from bot.store import Store
from bot.supervise import run_all
from bot.tables import comparisons, drawings, findings, jobs, losses, trainings
from bot.tables.jobs import Job, JobKind, JobState
from bot.telling import telling, telling_of
from bot.waiting import pause_after, waiting_helps
from lora.engine import Engine
from lora.jobs import (
    Cancelled,
    Checkpoint,
    Compared,
    Drawn,
    Event,
    Failed,
    Findings,
    Finished,
    JobError,
    Lost,
    Progress,
    Ready,
    Trained,
)

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0  # seconds between tries while the disk or the database takes nothing
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
        self._ready = asyncio.Event()
        self._submitted: dict[int, float] = {}  # draws that are alone with the worker -> monotonic seconds
        self._lost: list[float] = []  # when workers were lost lately, monotonic seconds
        self._feeding = StateLog(log, "jobs are handed over again")
        self._taking = StateLog(log, "results of jobs are stored again")
        self.base: str | None = None  # hash of the worker's base; None until a worker has reported it
        self.estimates = estimates

    def wake(self) -> None:
        """Look for a job to submit now."""
        self._wake.set()

    def draws_on_other_base(self, base: str | None) -> bool:
        """Whether the worker has another base than ``base`` (a hash); False if one of them is not known."""
        return None not in (base, self.base) and base != self.base

    async def run(self) -> None:
        """Start the engine and work until cancelled. May be called again after it has ended."""
        await losses.count_hand_over(self._store, attempts=self._config.limits.attempts)
        if waiting := await jobs.requeue_all(self._store):
            log.info("%d interrupted jobs are queued again", waiting)
        self._ready.clear()
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

    async def _feed(self) -> None:
        while True:
            await self._ready.wait()
            await _until_it_works(self._feeding, self._hand_over_all)
            await self._wake.wait()
            self._wake.clear()

    async def _hand_over_all(self) -> None:
        """Hand over waiting jobs, as many as the worker is to have."""
        attempts = self._config.limits.attempts
        while self._ready.is_set() and (waiting := await next_job(self._store, attempts=attempts)):
            if (job := await jobs.claim(self._store, waiting.kind, only=waiting.id)) is not None:
                await _until_it_works(self._feeding, partial(self._hand_over, job))
                self._notify(job.person)

    async def _hand_over(self, job: Job) -> None:
        """Hand a claimed job to the engine. A job whose own files cannot be read fails; no other does."""
        if await jobs.running_attempt(self._store, job.id, job.attempt) is None:
            return  # before this second try it was cancelled or put back
        if job.kind == JobKind.DRAW and len(await jobs.running(self._store, JobKind.DRAW)) == 1:
            self._submitted[job.id] = time.monotonic()
        try:
            steps = self._config.train.checkpoint_steps or None
            await self._engine.submit(await request(self._store, self._blobs, job, checkpoint_steps=steps))
        except JobError as error:
            await self._end(job, JobState.FAILED, error.code)
            return
        except OSError as error:
            await self._engine.cancel(job.id)  # the worker may have the rest of it
            if waiting_helps(error):
                await jobs.put_back(self._store, job.id, job.attempt)
                raise
            log.error("job %d: one of its files cannot be read: %s", job.id, error.strerror)
            await self._end(job, JobState.FAILED, "stored-file")
            return
        if await jobs.handed_over(self._store, job.id, job.attempt) is None:
            await self._engine.cancel(job.id)  # the row was cancelled while the engine waited

    async def _listen(self) -> None:
        async for event in self._engine.events():
            await _until_it_works(self._taking, partial(self._take_or_fail, event))

    async def _take_or_fail(self, event: Event) -> None:
        """Take an event. A job whose event cannot be taken fails; the events after it are taken."""
        try:
            await self._take(event)
        except Exception as error:
            if waiting_helps(error) or isinstance(event, Ready | Lost):
                raise
            log.error("job %d: %s cannot be taken", event.job, type(event).__name__, exc_info=error)
            job = await jobs.running_attempt(self._store, event.job, event.attempt)
            if job is not None:
                await self._engine.cancel(job.id)
                await self._end(job, JobState.FAILED, "internal")

    async def _take(self, event: Event) -> None:
        match event:
            case Ready():
                log.info("worker ready: %s on %s", event.base, event.device)
                self.base = event.base_hash
                await self.estimates.ready(event)
                await self._example_prompt.take(event.example_prompt)
                self._ready.set()
                self.wake()
            case Lost():
                await self._lose(event)
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
            case Findings():
                await findings.store_all(self._store, job, event.findings)
            case Checkpoint():
                async with self._blobs.keep(event.adapter, event.state) as (adapter, state):
                    unused = await trainings.add_checkpoint(
                        self._store, job, step=event.step, adapter=adapter, state=state, base=self.base
                    )
                await self._blobs.sweep(unused)
                self.wake()  # the training is not a suspect any more
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
                async with self._blobs.keep(event.sticker) as (sticker,):
                    await drawings.add(
                        self._store, job.id, job.attempt, position=event.index, seed=event.seed, blob=sticker
                    )
            case Trained():
                await self._end(job, JobState.DONE)
            case Finished():
                if (began := self._submitted.get(job.id)) is not None:
                    self.estimates.drawn(job, time.monotonic() - began)
                await self._end(job, JobState.DONE)
            case Failed():
                log.warning("job %d (%s) failed: %s %s", job.id, job.kind, event.code, event.detail)
                await self._end(job, JobState.FAILED, event.code)
            case Cancelled():  # only if the engine cancelled by itself: ``cancel`` ends the row first
                await self._end(job, JobState.CANCELLED)

    async def _lose(self, event: Lost) -> None:
        """The worker is gone. ``next_job`` finds out which of its jobs it died of."""
        self._ready.clear()
        now = time.monotonic()
        self._lost = [at for at in self._lost if now - at < LOSSES_SECONDS] + [now]
        often = len(self._lost) >= LOSSES_TOLD
        extra = telling("admin-worker-lost", n=len(self._lost)) if often else None
        log.warning("the worker was lost; it had %d jobs", len(event.jobs), extra=extra)
        for job in await losses.lose(self._store, event.jobs, attempts=self._config.limits.attempts):
            await self._tidy(job)
            self._notify(job.person)

    async def _end(self, job: Job, state: JobState, error: str | None = None) -> None:
        if await jobs.end(self._store, job.id, job.attempt, state, error):
            await self._tidy(job)
            self._notify(job.person)

    async def _tidy(self, job: Job) -> None:
        """Delete what only a running job needs, and look for the next job."""
        self._submitted.pop(job.id, None)
        await self.estimates.ended(job.id)
        now = await jobs.get(self._store, job.id)
        if job.kind == JobKind.TRAIN and now is not None and not now.active:
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
