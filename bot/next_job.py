"""Which waiting job is handed to the worker next.

Draws go before trainings, jobs of one kind by age. A job that a worker may have died of is tried alone, so that the
next loss shows whether it was the cause:

- A draw that was lost is drawn alone, before all other jobs. That takes seconds.
- A training that was lost goes on beside draws, because alone it would keep them waiting. Only its last attempt is
  made alone, until its next checkpoint. Draws that are younger than the training wait for that.
"""

from __future__ import annotations

from bot.store import Store
from bot.tables import jobs, line, losses
from bot.tables.jobs import Job, JobKind
from lora.jobs import MAX_BATCH


async def next_job(store: Store, *, attempts: int) -> Job | None:
    """The waiting job to hand over now, None if there is none or the worker has to end something first."""
    drawing = await jobs.running(store, JobKind.DRAW)
    training = await jobs.running(store, JobKind.TRAIN)
    busy = bool(drawing or training)
    if any(job.suspect for job in drawing) or any(_last_attempt(job, attempts) for job in training):
        return None
    if (suspect := await losses.oldest_suspect(store)) is not None:
        return None if busy else suspect
    draw = await line.next_waiting(store, JobKind.DRAW)
    train = None if training else await line.next_waiting(store, JobKind.TRAIN)
    if train is not None and _last_attempt(train, attempts):
        if draw is None or train.id < draw.id:
            return None if busy else train
        train = None
    return draw if draw is not None and len(drawing) < MAX_BATCH else train


def _last_attempt(job: Job, attempts: int) -> bool:
    """Whether the job fails if its worker dies once more."""
    return job.suspect and job.losses + job.shared_losses >= attempts - 1
