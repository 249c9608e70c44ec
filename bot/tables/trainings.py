"""The samples that a training works on, and the checkpoints and states that it has saved."""

from __future__ import annotations

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import ACTIVE, Job, JobKind, JobState


async def samples(store: Store, job: int) -> list[tuple[str, str]]:
    """(blob, caption) of each sample that a training works on."""
    rows = await store.rows("SELECT blob, caption FROM job_sample WHERE job = ? ORDER BY position", job)
    return [(row["blob"], row["caption"]) for row in rows]


async def drop_samples(store: Store, job: int) -> list[str]:
    """Delete the samples of an ended training; gives the blobs that may be unused now."""
    rows = await store.rows("DELETE FROM job_sample WHERE job = ? RETURNING blob", job)
    return [row["blob"] for row in rows]


async def resume_state(store: Store, job: int) -> str | None:
    """The blob of the state that a training can be resumed from, None if it has no checkpoint yet."""
    found: str | None = await store.value(
        "SELECT state FROM checkpoint WHERE job = ? ORDER BY step DESC LIMIT 1", job
    )
    return found


async def checkpoints(store: Store, job: int) -> list[tuple[int, str]]:
    """(step, adapter's blob) of a training so far, oldest first."""
    rows = await store.rows("SELECT step, adapter FROM checkpoint WHERE job = ? ORDER BY step", job)
    return [(row["step"], row["adapter"]) for row in rows]


async def add_checkpoint(
    store: Store,
    job: Job,
    *,
    step: int,
    adapter: str,
    state: str,
    base: str | None = None,
    bytes: int | None = None,
) -> list[str]:
    """Store a checkpoint and drop the state of the one before. Gives the blobs that may be unused now.

    A new step clears the job of all losses: it has got further than its workers died. A checkpoint that is sent again
    after a resume clears nothing. Nothing is stored if the attempt is not running any more.
    """
    async with store.transaction():
        if await jobs.running_attempt(store, job.id, job.attempt) is None or job.style is None:
            return [adapter, state]
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job.id)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job.id)
        await store.change(
            "INSERT INTO checkpoint (job, style, step, adapter, state, base, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (job, step) DO UPDATE SET adapter = excluded.adapter, state = excluded.state,"
            " base = excluded.base, bytes = excluded.bytes",
            job.id,
            job.style,
            step,
            adapter,
            state,
            base,
            bytes,
        )
        await store.change(
            "UPDATE job SET step = ?1, losses = 0, shared_losses = 0 WHERE id = ?2 AND step < ?1",
            step,
            job.id,
        )
    return [row["state"] for row in old]


async def drop_states(store: Store, job: int) -> list[str]:
    """Drop the state of an ended training; gives the blobs that may be unused now."""
    async with store.transaction():
        old = await store.rows("SELECT state FROM checkpoint WHERE job = ? AND state IS NOT NULL", job)
        await store.change("UPDATE checkpoint SET state = NULL WHERE job = ?", job)
    return [row["state"] for row in old]


async def drop_outdated(store: Store) -> list[str]:
    """Delete checkpoints and comparisons of ended trainings that their style does not draw with any more.

    A finished training replaces all unfinished ones, else the newer one the older (``styles._STYLE``). Gives the
    blobs that may be unused now. Active draws keep the adapter that they were asked for with.
    """
    async with store.transaction():
        outdated = await store.rows(
            "SELECT id FROM job AS old WHERE kind = ?1 AND state NOT IN (?3, ?4)"
            " AND id IN (SELECT job FROM checkpoint UNION SELECT job FROM comparison)"
            " AND EXISTS (SELECT 1 FROM job AS other WHERE other.style = old.style AND other.id != old.id"
            " AND (other.state = ?2, other.id) > (old.state = ?2, old.id)"
            " AND other.id IN (SELECT job FROM checkpoint))",
            JobKind.TRAIN,
            JobState.DONE,
            *ACTIVE,
        )
        unused: list[str] = []
        for (job,) in outdated:
            adapters = await store.rows("DELETE FROM checkpoint WHERE job = ? RETURNING adapter", job)
            sheets = await store.rows("DELETE FROM comparison WHERE job = ? RETURNING sheet", job)
            await store.change_many(
                "UPDATE job SET adapter = NULL WHERE adapter = ? AND state NOT IN (?, ?)",
                [(row["adapter"], *ACTIVE) for row in adapters],
            )
            unused += [row[0] for row in [*adapters, *sheets]]
    return unused


async def tidy_ended(store: Store) -> None:
    """Delete what ended trainings do not need any more, in case a kill came between their end and that."""
    async with store.transaction():
        await drop_outdated(store)
        for sql in (
            "DELETE FROM job_sample WHERE job NOT IN (SELECT id FROM job WHERE state IN (?, ?))",
            "UPDATE checkpoint SET state = NULL WHERE state IS NOT NULL"
            " AND job NOT IN (SELECT id FROM job WHERE state IN (?, ?))",
        ):
            await store.change(sql, *ACTIVE)
