"""What comparing a training's checkpoints has shown, and which of them its style draws with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job
from lora.jobs import Score


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One training's checkpoints side by side. ``best`` is the step that the scores speak for.

    ``used`` is the step that the style draws with, ``steps`` are all there are to choose from.
    """

    job: int
    style: int
    keyword: str
    best: int
    scores: tuple[Score, ...]
    sheet: str  # a blob
    steps: tuple[int, ...]
    used: int


async def add(store: Store, job: Job, *, best: int, scores: Sequence[Score], sheet: str) -> list[str]:
    """Store what a running training has found, and draw with the best from here on.

    Gives the blobs that may be unused now: a training that was interrupted after comparing compares again.
    """
    async with store.transaction():
        if await jobs.running_attempt(store, job.id, job.attempt) is None or job.style is None:
            return [sheet]
        old = await store.rows("DELETE FROM comparison WHERE job = ? RETURNING sheet", job.id)
        await store.change(
            "INSERT INTO comparison (job, style, best, scores, sheet) VALUES (?, ?, ?, ?, ?)",
            *(job.id, job.style, best, json.dumps([asdict(score) for score in scores]), sheet),
        )
        await _use(store, job.id, best)
    return [row["sheet"] for row in old]


async def of_job(store: Store, job: int) -> Comparison | None:
    """What a training's comparison has shown, None if there was none or its style is gone."""
    row = await store.row(
        "SELECT comparison.*, keyword FROM comparison JOIN style ON style.id = comparison.style"
        " WHERE job = ?",
        job,
    )
    steps = await store.rows("SELECT step, used FROM checkpoint WHERE job = ? ORDER BY step", job)
    if row is None or not steps:
        return None
    return Comparison(
        job=job,
        style=row["style"],
        keyword=row["keyword"],
        best=row["best"],
        scores=tuple(Score(**score) for score in json.loads(row["scores"])),
        sheet=row["sheet"],
        steps=tuple(found["step"] for found in steps),
        used=max(steps, key=lambda found: (found["used"], found["step"]))["step"],
    )


async def of_style(store: Store, style: int) -> Comparison | None:
    """The comparison of the newest finished training of a style, which is the one that it draws with."""
    job = await store.value(
        "SELECT max(id) FROM job WHERE style = ? AND kind = 'train' AND state = 'done'", style
    )
    return None if job is None else await of_job(store, job)


async def use(store: Store, job: int, step: int) -> bool:
    """Draw with this checkpoint from here on; False if it is not there any more."""
    async with store.transaction():
        found = await store.row("SELECT 1 FROM checkpoint WHERE job = ? AND step = ?", job, step)
        if found is not None:
            await _use(store, job, step)
    return found is not None


async def _use(store: Store, job: int, step: int) -> None:
    await store.change("UPDATE checkpoint SET used = (step = ?) WHERE job = ?", step, job)
