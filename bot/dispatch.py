"""Hands jobs from the database to the engine, and writes the engine's events into the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from bot.blobs import Blobs
from bot.config import Config
from bot.estimates import Estimates
from bot.store import Store
from bot.tables import comparisons, drawings, findings, jobs, trainings
from bot.tables.jobs import Job, JobKind, JobState
from lora.engine import Engine
from lora.jobs import (
    MAX_BATCH,
    Cancelled,
    Checkpoint,
    Compared,
    Draw,
    Drawn,
    Event,
    Failed,
    Findings,
    Finished,
    Lost,
    Progress,
    Ready,
    Sample,
    SavedCheckpoint,
    Train,
    Trained,
    TrainSettings,
)

log = logging.getLogger(__name__)


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
        notify: Callable[[int], None],
    ) -> None:
        self._engine = engine
        self._store = store
        self._blobs = blobs
        self._config = config
        self._notify = notify
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._submitted: dict[int, float] = {}  # draws that are alone with the worker -> monotonic seconds
        self.base: str | None = None  # hash of the worker's base; None until a worker has reported it
        self.estimates = estimates

    def wake(self) -> None:
        """Look for a job to submit now."""
        self._wake.set()

    def draws_on_other_base(self, base: str | None) -> bool:
        """Whether the worker has another base than ``base`` (a hash); False if one of them is not known."""
        return None not in (base, self.base) and base != self.base

    async def run(self) -> None:
        """Start the engine and work until cancelled."""
        if waiting := await jobs.requeue_all(self._store):
            log.info("%d interrupted jobs are queued again", waiting)
        await self._engine.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed())
                group.create_task(self._listen())
        finally:
            await self._engine.close()

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
            while self._ready.is_set() and (job := await self._claim()):
                await self._submit(job)
                self._notify(job.person)
            await self._wake.wait()
            self._wake.clear()

    async def _claim(self) -> Job | None:
        """The next job to submit: a draw, as long as they do not fill a batch, else a training if none is running."""
        drawing = await jobs.running(self._store, JobKind.DRAW)
        # A draw that was blamed for the loss of a worker runs alone, so that it cannot make others fail.
        if len(drawing) < MAX_BATCH and not any(job.losses for job in drawing):
            job = await jobs.claim(self._store, JobKind.DRAW, fresh_only=bool(drawing))
            if job is not None:
                return job
        if await jobs.running(self._store, JobKind.TRAIN):
            return None
        return await jobs.claim(self._store, JobKind.TRAIN)

    async def _submit(self, job: Job) -> None:
        try:
            request = await (self._draw(job) if job.kind == JobKind.DRAW else self._train(job))
        except FileNotFoundError:
            log.error("job %d: a blob is missing", job.id)
            await self._end(job, JobState.FAILED, "internal")
            return
        if job.kind == JobKind.DRAW and len(await jobs.running(self._store, JobKind.DRAW)) == 1:
            self._submitted[job.id] = time.monotonic()
        await self._engine.submit(request)
        if await jobs.running_attempt(self._store, job.id, job.attempt) is None:
            await self._engine.cancel(job.id)  # the row was cancelled while the engine waited

    async def _draw(self, job: Job) -> Draw:
        return Draw(
            id=job.id,
            attempt=job.attempt,
            prompt=job.prompt,
            adapter=await self._blobs.read(job.adapter) if job.adapter else None,
            options=job.options,
        )

    async def _train(self, job: Job) -> Train:
        state = await trainings.resume_state(self._store, job.id)
        samples = await trainings.samples(self._store, job.id)
        earlier = await trainings.checkpoints(self._store, job.id)
        return Train(
            id=job.id,
            attempt=job.attempt,
            keyword=job.keyword,
            samples=tuple([Sample(picture=await self._blobs.read(b), caption=text) for b, text in samples]),
            settings=TrainSettings(
                steps=job.steps, checkpoint_steps=self._config.train.checkpoint_steps or None, seed=job.seed
            ),
            resume=await self._blobs.read(state) if state else None,
            earlier=tuple(
                [SavedCheckpoint(step=step, adapter=await self._blobs.read(b)) for step, b in earlier]
            ),
        )

    async def _listen(self) -> None:
        async for event in self._engine.events():
            await self._take(event)

    async def _take(self, event: Event) -> None:
        match event:
            case Ready():
                log.info("worker ready: %s on %s", event.base, event.device)
                self.base = event.base_hash
                await self.estimates.ready(event)
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
        """The worker is gone. Its draws are blamed if it had any, else its training."""
        self._ready.clear()
        lost = [
            job for id, attempt in event.jobs if (job := await jobs.running_attempt(self._store, id, attempt))
        ]
        draws = [job for job in lost if job.kind == JobKind.DRAW]
        log.warning("the worker was lost; it had %d jobs", len(lost))
        for job in lost:
            await jobs.lose(
                self._store,
                job.id,
                job.attempt,
                blame=job in draws or not draws,
                attempts=self._config.limits.attempts,
            )
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
