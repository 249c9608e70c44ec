"""What a training works on and has reached: its samples, checkpoints and states."""

from __future__ import annotations

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job


async def samples(store: Store, job: int) -> list[tuple[str, str]]:
    """(blob, caption) of what a training works on."""
    rows = await store.rows("SELECT blob, caption FROM job_sample WHERE job = ? ORDER BY position", job)
    return [(row["blob"], row["caption"]) for row in rows]


async def drop_samples(store: Store, job: int) -> list[str]:
    """Forget what an ended training worked on; gives the blobs that may be unused now."""
    rows = await store.rows("DELETE FROM job_sample WHERE job = ? RETURNING blob", job)
    return [row["blob"] for row in rows]


async def resume_state(store: Store, job: int) -> str | None:
    """The blob that a training goes on from, None if it has no checkpoint yet."""
    found: str | None = await store.value(
        "SELECT state FROM checkpoint WHERE job = ? ORDER BY step DESC LIMIT 1", job
    )
    return found


async def add_checkpoint(store: Store, job: Job, *, step: int, adapter: str, state: str) -> list[str]:
    """Store a checkpoint; only the newest state stays. Gives the blobs that may be unused now.

    A worker that gets this far is not killed by this job, so its losses are forgiven.
    """
    async with store.transaction():
        if await jobs.is_mine(store, job.id, job.attempt) is None or job.style is None:
            return [adapter, state]
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job.id)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job.id)
        await store.change(
            "INSERT INTO checkpoint (job, style, step, adapter, state) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (job, step) DO UPDATE SET adapter = excluded.adapter, state = excluded.state",
            *(job.id, job.style, step, adapter, state),
        )
        await store.change("UPDATE job SET step = ?, losses = 0 WHERE id = ?", step, job.id)
    return [row["state"] for row in old]


async def drop_states(store: Store, job: int) -> list[str]:
    """An ended training resumes no more; gives the blobs that may be unused now."""
    async with store.transaction():
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job)
    return [row["state"] for row in old]


async def tidy_ended(store: Store) -> None:
    """What a kill kept from being tidied: ended trainings need neither samples nor states."""
    ended = "SELECT id FROM job WHERE state NOT IN ('queued', 'running')"
    async with store.transaction():
        await store.change(f"DELETE FROM job_sample WHERE job IN ({ended})")  # noqa: S608 - constants only
        await store.change(f"UPDATE checkpoint SET state = NULL WHERE job IN ({ended})")  # noqa: S608
