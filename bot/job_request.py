"""A row of a job as the request that an engine takes. Files are checked here and read when they are sent."""

from __future__ import annotations

from dataclasses import replace

from bot.blobs import Blobs
from bot.store import Store
from bot.tables import cutouts, trainings
from bot.tables.jobs import Job, JobKind
from lora.data import captions
from lora.jobs import CutOut, Draw, Sample, SavedCheckpoint, Train, TrainSettings
from lora.jobs import Job as EngineJob


async def request(store: Store, blobs: Blobs, job: Job, *, checkpoint_steps: int | None) -> EngineJob:
    """The request for a job. Raises OSError if one of its files cannot be read or is damaged."""
    if job.kind == JobKind.DRAW:
        return await _draw(blobs, job)
    if job.kind == JobKind.CUT_OUT:
        names = await cutouts.pictures(store, job.id)
        return CutOut(
            id=job.id, attempt=job.attempt, pictures=tuple([await blobs.content(name) for name in names])
        )
    return await _train(store, blobs, job, checkpoint_steps)


async def _draw(blobs: Blobs, job: Job) -> Draw:
    return Draw(
        id=job.id,
        attempt=job.attempt,
        prompt=_read_by_base(job),
        adapter=await blobs.content(job.adapter) if job.adapter and not job.uncut else None,
        options=replace(  # only the chat needs these
            job.options, negative_written="", outline_written="", prompt_written=""
        ),
        uncut=await blobs.content(job.uncut) if job.uncut else None,
        background=job.background,
    )


def _read_by_base(job: Job) -> str:
    """The prompt with the word that the adapter was trained with, in place of the name that people read."""
    word = job.lent_keyword or job.trained_as
    if not word:
        return job.prompt
    return captions.with_keyword(captions.without_keyword(job.prompt, job.keyword), word)


async def _train(store: Store, blobs: Blobs, job: Job, checkpoint_steps: int | None) -> Train:
    state = await trainings.resume_state(store, job.id)
    samples = await trainings.samples(store, job.id)
    earlier = await trainings.checkpoints(store, job.id)
    return Train(
        id=job.id,
        attempt=job.attempt,
        keyword=job.keyword,
        samples=tuple([Sample(picture=await blobs.content(b), caption=text) for b, text in samples]),
        settings=TrainSettings(steps=job.steps, checkpoint_steps=checkpoint_steps, seed=job.seed),
        resume=await blobs.content(state) if state else None,
        earlier=tuple([SavedCheckpoint(step=step, adapter=await blobs.content(b)) for step, b in earlier]),
    )
