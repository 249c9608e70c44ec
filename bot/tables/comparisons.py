"""The comparisons of trainings' checkpoints, and which checkpoint each style draws with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job
from lora.jobs import Score


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of one training's checkpoints.

    ``chosen`` is the step that the rule chose (column ``best``), ``used`` the step that the style draws with, and
    ``steps`` are all that a person can choose from. ``reasons`` are values of ``ReasonCode`` by step; they are empty
    for comparisons of earlier versions.
    """

    job: int
    style: int
    keyword: str
    chosen: int
    scores: tuple[Score, ...]
    reasons: Mapping[int, str]
    sheet: str  # a blob
    steps: tuple[int, ...]
    used: int


async def add(
    store: Store, job: Job, *, chosen: int, scores: Sequence[Score], reasons: Sequence[str], sheet: str
) -> list[str]:
    """Store the comparison of a running training, and draw with the chosen checkpoint from now on.

    ``reasons`` are in the order of ``scores``. Returns the blobs that may be unused now: a training that was
    interrupted after the comparison compares again.
    """
    async with store.transaction():
        if await jobs.running_attempt(store, job.id, job.attempt) is None or job.style is None:
            return [sheet]
        old = await store.rows("DELETE FROM comparison WHERE job = ? RETURNING sheet", job.id)
        await store.change(
            "INSERT INTO comparison (job, style, best, scores, reasons, sheet) VALUES (?, ?, ?, ?, ?, ?)",
            job.id,
            job.style,
            chosen,
            json.dumps([asdict(score) for score in scores]),
            json.dumps(list(reasons)),
            sheet,
        )
        await _use(store, job.id, chosen)
    return [row["sheet"] for row in old]


async def of_job(store: Store, job: int) -> Comparison | None:
    """A training's comparison; None if there was none or its style is gone."""
    row = await store.row(
        "SELECT comparison.*, keyword FROM comparison JOIN style ON style.id = comparison.style"
        " WHERE job = ?",
        job,
    )
    steps = await store.rows("SELECT step, used FROM checkpoint WHERE job = ? ORDER BY step", job)
    if row is None or not steps:
        return None
    scores = tuple(Score(**score) for score in json.loads(row["scores"]))
    reasons = json.loads(row["reasons"] or "[]")
    return Comparison(
        job=job,
        style=row["style"],
        keyword=row["keyword"],
        chosen=row["best"],
        scores=scores,
        reasons={score.step: code for score, code in zip(scores, reasons, strict=False)},
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
    """Draw with this checkpoint from now on; False if it does not exist any more."""
    async with store.transaction():
        found = await store.row("SELECT 1 FROM checkpoint WHERE job = ? AND step = ?", job, step)
        if found is not None:
            await _use(store, job, step)
    return found is not None


async def _use(store: Store, job: int, step: int) -> None:
    await store.change("UPDATE checkpoint SET used = (step = ?) WHERE job = ?", step, job)
