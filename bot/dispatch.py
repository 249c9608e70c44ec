"""Durable jobs to the engine, and its events back into rows. Whoever waits for news is woken."""

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
from bot.tables.jobs import Job
from lora.engine import Engine
from lora.jobs import (
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

DRAWS_AT_ONCE = 4  # what a worker may hold to make one batch of; the rest wait in rows


class Dispatch:
    """Feeds the engine and listens to it. A change counts only for the attempt that is running."""

    def __init__(
        self, *, engine: Engine, store: Store, blobs: Blobs, config: Config, tell: Callable[[int], None]
    ) -> None:
        self._engine = engine
        self._store = store
        self._blobs = blobs
        self._config = config
        self._tell = tell  # wakes the delivery to a person
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._handed_over: dict[int, float] = {}  # draws alone with the worker -> monotonic seconds
        self.base: str | None = None  # hash of the base that the worker draws on, once one has told
        self.estimates = Estimates(store)

    def wake(self) -> None:
        """There may be a job to hand over."""
        self._wake.set()

    def draws_on_other_base(self, base: str | None) -> bool:
        """Whether an adapter of ``base`` would be refused, as far as is known by now."""
        return None not in (base, self.base) and base != self.base

    async def run(self) -> None:
        """Start the engine and work until cancelled."""
        if waiting := await jobs.requeue_all(self._store):
            log.info("%d interrupted jobs wait again", waiting)
        await self._engine.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed())
                group.create_task(self._listen())
        finally:
            await self._engine.close()

    async def cancel(self, person: int, id: int) -> Job | None:
        """End one of the person's jobs; None if it was over. The row ends now, the worker a step later."""
        job = await jobs.cancel(self._store, person, id)
        if job is not None:
            await self._engine.cancel(id)
            await self._tidy(job)
        return job

    async def _feed(self) -> None:
        while True:
            await self._ready.wait()
            while self._ready.is_set() and (job := await self._claim()):
                await self._hand_over(job)
                self._tell(job.person)
            await self._wake.wait()
            self._wake.clear()

    async def _claim(self) -> Job | None:
        """The next job that there is room for. Draws go first; one training at a time."""
        drawing = await jobs.running(self._store, "draw")
        # A draw whose worker died is tried alone: whatever killed it takes nobody else along this time.
        if len(drawing) < DRAWS_AT_ONCE and not any(job.losses for job in drawing):
            job = await jobs.claim(self._store, "draw", fresh_only=bool(drawing))
            if job is not None:
                return job
        if await jobs.running(self._store, "train"):
            return None
        return await jobs.claim(self._store, "train")

    async def _hand_over(self, job: Job) -> None:
        try:
            request = await (self._draw(job) if job.kind == "draw" else self._train(job))
        except FileNotFoundError:
            log.error("job %d: a blob is missing", job.id)
            await self._end(job, "failed", "internal")
            return
        if job.kind == "draw" and len(await jobs.running(self._store, "draw")) == 1:
            self._handed_over[job.id] = time.monotonic()
        await self._engine.submit(request)
        if await jobs.is_mine(self._store, job.id, job.attempt) is None:
            await self._engine.cancel(job.id)  # cancelled while it was being handed over

    async def _draw(self, job: Job) -> Draw:
        return Draw(
            id=job.id,
            attempt=job.attempt,
            prompt=job.prompt,
            adapter=await self._blobs.read(job.adapter) if job.adapter else None,
            cfg=job.cfg,
            seed=job.seed,
            steps=job.steps or self._config.sticker.steps,
            count=job.count,
        )

    async def _train(self, job: Job) -> Train:
        state = await trainings.resume_state(self._store, job.id)
        found = await trainings.samples(self._store, job.id)
        earlier = await trainings.checkpoints(self._store, job.id)
        return Train(
            id=job.id,
            attempt=job.attempt,
            keyword=job.keyword,
            samples=tuple([Sample(picture=await self._blobs.read(b), caption=text) for b, text in found]),
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
                job = await jobs.is_mine(self._store, event.job, event.attempt)
                if job is not None:
                    await self._take_of(job, event)
                    self._tell(job.person)

    async def _take_of(self, job: Job, event: Event) -> None:
        """An event of the attempt that is running."""
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
                await self._end(job, "done")
            case Finished():
                if (began := self._handed_over.get(job.id)) is not None:
                    self.estimates.drawn(job, time.monotonic() - began)
                await self._end(job, "done")
            case Failed():
                log.warning("job %d (%s) failed: %s %s", job.id, job.kind, event.code, event.detail)
                await self._end(job, "failed", event.code)
            case Cancelled():  # not by a person, whose wish ends the row first
                await self._end(job, "cancelled")

    async def _lose(self, event: Lost) -> None:
        """The worker died. If draws were in hand it died of one of them, not of the training beside."""
        self._ready.clear()
        lost = [job for id, attempt in event.jobs if (job := await jobs.is_mine(self._store, id, attempt))]
        draws = [job for job in lost if job.kind == "draw"]
        log.warning("the worker was lost with %d jobs in hand", len(lost))
        for job in lost:
            await jobs.lose(
                self._store,
                job.id,
                job.attempt,
                blame=job in draws or not draws,
                attempts=self._config.limits.attempts,
            )
            await self._tidy(job)
            self._tell(job.person)

    async def _end(self, job: Job, state: str, error: str | None = None) -> None:
        if await jobs.end(self._store, job.id, job.attempt, state, error):
            await self._tidy(job)
            self._tell(job.person)

    async def _tidy(self, job: Job) -> None:
        """Forget what an ended job needed only while it ran, and let the next one in."""
        self._handed_over.pop(job.id, None)
        await self.estimates.ended(job.id)
        now = await jobs.get(self._store, job.id)
        if job.kind == "train" and now is not None and not now.active:
            unused = await trainings.drop_samples(self._store, job.id) + await trainings.drop_states(
                self._store, job.id
            )
            unused += await trainings.drop_outdated(self._store)
            await self._blobs.sweep(unused)
        self.wake()
