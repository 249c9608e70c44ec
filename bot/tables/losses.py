"""Counts for each job how many workers died with it. ``bot.next_job`` finds out which job was the cause."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job, JobState


async def lose(store: Store, lost: Sequence[tuple[int, int]], *, attempts: int) -> list[Job]:
    """The worker that ran these (id, attempt) is gone: queue the jobs again. Gives those that were running.

    Which of several jobs was the cause is not known, so a job fails only for a loss that it had alone: when it has
    been lost ``attempts`` times, the last time alone.
    """
    async with store.transaction():
        found = [job for id, attempt in lost if (job := await jobs.running_attempt(store, id, attempt))]
        for job in found:
            if len(lost) > 1:
                await store.change("UPDATE job SET shared_losses = shared_losses + 1 WHERE id = ?", job.id)
                await _queue_again(store, job.id)
            else:
                await _count_loss(store, job.id, attempts)
    return found


async def _count_loss(store: Store, id: int, attempts: int) -> None:
    """A worker, or the bot itself, died of this running job alone."""
    await store.change("UPDATE job SET losses = losses + 1 WHERE id = ?", id)
    failed = await store.change(
        "UPDATE job SET state = ?, error = 'internal', handing_over = 0, ended_at = ?"
        " WHERE id = ? AND losses + shared_losses >= ?",
        *(JobState.FAILED, time.time(), id, attempts),
    )
    if not failed:
        await _queue_again(store, id)


async def _queue_again(store: Store, id: int) -> None:
    await store.change("UPDATE job SET state = ?, handing_over = 0 WHERE id = ?", JobState.QUEUED, id)


async def count_hand_over(store: Store, *, attempts: int) -> None:
    """At the start: if the bot died while it handed a job to a worker, count that as a loss of this job.

    A job that is too large for the bot's memory would otherwise end the bot at every start.
    """
    async with store.transaction():
        for (id,) in await store.rows(
            "SELECT id FROM job WHERE state = ? AND handing_over = 1", JobState.RUNNING
        ):
            await _count_loss(store, id, attempts)
