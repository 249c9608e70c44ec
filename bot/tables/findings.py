"""What a worker has found on the samples of a training.

A finding is stored with the picture's blob, because the numbers of samples change when one is removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job
from lora.jobs import Finding


async def store_all(store: Store, job: Job, findings: Sequence[Finding]) -> None:
    """Store the findings of this attempt, if it is running, in place of those of an earlier one."""
    async with store.transaction():
        if await jobs.running_attempt(store, job.id, job.attempt) is None or job.style is None:
            return
        await store.change("DELETE FROM finding WHERE job = ?", job.id)
        for finding in findings:
            for position in finding.samples:
                await store.change(
                    "INSERT INTO finding (job, style, code, severity, picture)"
                    " SELECT ?1, ?2, ?3, ?4, blob FROM job_sample WHERE job = ?1 AND position = ?5"
                    " ON CONFLICT DO NOTHING",
                    job.id,
                    job.style,
                    finding.code,
                    finding.severity,
                    position,
                )


async def of_job(store: Store, job: int) -> list[Finding]:
    """The findings of a training with the numbers that the samples have now; one Finding for each code."""
    rows = await store.rows(
        "SELECT DISTINCT finding.code, finding.severity, sample.number FROM finding"
        " JOIN numbered_sample AS sample ON sample.style = finding.style AND sample.blob = finding.picture"
        " WHERE finding.job = ? ORDER BY finding.code, sample.number",
        job,
    )
    kinds = dict.fromkeys((row["code"], row["severity"]) for row in rows)
    return [
        Finding(code=code, severity=severity, samples=tuple(r["number"] for r in rows if r["code"] == code))
        for code, severity in kinds
    ]


async def of_style(store: Store, style: int) -> list[Finding]:
    """The findings of the newest training of a style that has any."""
    job = await store.value("SELECT max(job) FROM finding WHERE style = ?", style)
    return [] if job is None else await of_job(store, job)
