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


async def checkpoints(store: Store, job: int) -> list[tuple[int, str]]:
    """(step, adapter's blob) of a training so far, oldest first."""
    rows = await store.rows("SELECT step, adapter FROM checkpoint WHERE job = ? ORDER BY step", job)
    return [(row["step"], row["adapter"]) for row in rows]


async def add_checkpoint(
    store: Store, job: Job, *, step: int, adapter: str, state: str, base: str | None = None
) -> list[str]:
    """Store a checkpoint; only the newest state stays. Gives the blobs that may be unused now.

    A worker that gets this far is not killed by this job, so its losses are forgiven.
    """
    async with store.transaction():
        if await jobs.is_mine(store, job.id, job.attempt) is None or job.style is None:
            return [adapter, state]
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job.id)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job.id)
        await store.change(
            "INSERT INTO checkpoint (job, style, step, adapter, state, base) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (job, step) DO UPDATE SET adapter = excluded.adapter, state = excluded.state,"
            " base = excluded.base",
            *(job.id, job.style, step, adapter, state, base),
        )
        await store.change("UPDATE job SET step = ?, losses = 0 WHERE id = ?", step, job.id)
    return [row["state"] for row in old]


async def drop_states(store: Store, job: int) -> list[str]:
    """An ended training resumes no more; gives the blobs that may be unused now."""
    async with store.transaction():
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job)
    return [row["state"] for row in old]


async def drop_outdated(store: Store) -> list[str]:
    """Forget trainings that a newer finished one has replaced; gives the blobs that may be unused now.

    Draws that still wait keep the adapter that they were asked for with.
    """
    newest = "SELECT job.style, max(job.id) AS id FROM job JOIN checkpoint ON job = job.id WHERE job.state = 'done'"
    outdated = (
        f"SELECT old.id FROM job AS old JOIN ({newest} GROUP BY job.style) AS newest"  # noqa: S608 - constants
        " ON newest.style = old.style WHERE old.kind = 'train' AND old.id < newest.id"
    )
    async with store.transaction():
        old = await store.rows(
            f"DELETE FROM checkpoint WHERE job IN ({outdated}) RETURNING adapter"  # noqa: S608 - constants
        )
        sheets = await store.rows(
            f"DELETE FROM comparison WHERE job IN ({outdated}) RETURNING sheet"  # noqa: S608 - constants
        )
        await store.change_many(
            "UPDATE job SET adapter = NULL WHERE adapter = ? AND state NOT IN ('queued', 'running')",
            [(row["adapter"],) for row in old],
        )
    return [row[0] for row in [*old, *sheets]]


async def tidy_ended(store: Store) -> None:
    """What a kill kept from being tidied: ended trainings need neither samples nor states."""
    ended = "SELECT id FROM job WHERE state NOT IN ('queued', 'running')"
    async with store.transaction():
        await drop_outdated(store)
        await store.change(f"DELETE FROM job_sample WHERE job IN ({ended})")  # noqa: S608 - constants only
        await store.change(f"UPDATE checkpoint SET state = NULL WHERE job IN ({ended})")  # noqa: S608
