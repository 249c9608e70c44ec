"""Jobs that cut samples out of their backgrounds, and the samples' new pictures."""

from __future__ import annotations

from collections.abc import Sequence

from bot.store import Store
from bot.tables import changes, jobs
from bot.tables.jobs import Job, JobKind
from bot.tables.samples import Sample
from bot.tables.styles import Style

STEPS = 5  # denoising steps that take about as long as one cut-out


async def ask(store: Store, style: Style, origin: str, found: Sequence[Sample]) -> bool:
    """Insert a job for these samples; False if the origin has asked before."""
    async with store.transaction():
        id = await store.value(
            "INSERT INTO job (person, kind, origin, style, keyword, steps, samples)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, origin) DO NOTHING RETURNING id",
            *(style.person, JobKind.CUT_OUT, origin, style.id, style.keyword),
            *(STEPS * len(found), len(found)),
        )
        if id is None:
            return False
        await store.change_many(
            "INSERT INTO job_sample (job, position, blob, caption) VALUES (?, ?, ?, '')",
            [(id, position, sample.blob) for position, sample in enumerate(found)],
        )
    return True


async def active(store: Store, style: int) -> bool:
    """Whether pictures of a style are being cut out, or wait for it."""
    query = "SELECT 1 FROM job WHERE style = ? AND kind = ? AND state IN (?, ?)"
    return await store.row(query, style, JobKind.CUT_OUT, *jobs.ACTIVE) is not None


async def pictures(store: Store, job: int) -> list[str]:
    """The blobs of the pictures that a job cuts out, in order."""
    rows = await store.rows("SELECT blob FROM job_sample WHERE job = ? ORDER BY position", job)
    return [row["blob"] for row in rows]


async def take(store: Store, job: Job, index: int, blob: str, bytes: int) -> None:
    """Give a sample its new picture, if this attempt is running and the sample still has the old one.

    It can be taken back, with all others of the job.
    """
    async with store.transaction():
        if await jobs.running_attempt(store, job.id, job.attempt) is None or job.style is None:
            return
        rows = await store.rows(
            "SELECT sample.id FROM sample JOIN job_sample AS old ON old.blob = sample.blob"
            " WHERE old.job = ? AND old.position = ? AND sample.style = ?",
            *(job.id, index, job.style),
        )
        change = await changes.by_origin(store, job.style, job.origin)
        if change is None:
            change = await changes.note(store, job.style, job.origin, ())
        assert change is not None
        for row in rows:
            await changes.note_one(store, change, row["id"])
            await store.change("UPDATE sample SET blob = ?, bytes = ? WHERE id = ?", blob, bytes, row["id"])


async def done(store: Store, job: Job) -> tuple[int | None, int]:
    """The change that a job has made, None if it has made none, and how many samples it has cut out."""
    change = None if job.style is None else await changes.by_origin(store, job.style, job.origin)
    n = 0 if change is None else await changes.size(store, change)
    return change, n
