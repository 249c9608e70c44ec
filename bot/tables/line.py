"""The line of active jobs, in short rows."""

from __future__ import annotations

from typing import NamedTuple

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import ACTIVE, Job, JobKind, JobState
from lora.jobs import DrawOptions


class InLine(NamedTuple):  # made by the thousand: a dataclass takes twice as long
    """What the place and the time left of an active job are computed from."""

    id: int
    person: int
    kind: JobKind
    running: bool
    shown: bool  # a message in the chat shows it
    step: int
    steps: int | None  # of the whole job; None = the base's default


async def read(store: Store, *, after: int = 0) -> list[InLine]:
    """All active jobs whose id is above ``after``, by id."""
    rows = await store.rows(
        "SELECT id, person, kind, state = ?1, message_id IS NOT NULL, step, iif(kind = ?2,"
        " coalesce(json_extract(options, '$.steps'), ?3) * coalesce(json_extract(options, '$.count'), ?4), steps)"
        " FROM job WHERE state IN (?5, ?6) AND id > ?7 ORDER BY id",
        *(JobState.RUNNING, JobKind.DRAW, DrawOptions.steps, DrawOptions.count, *ACTIVE, after),
    )
    kinds = {str(kind): kind for kind in JobKind}
    return [
        InLine(id, person, kinds[kind], bool(running), bool(shown), step, steps)
        for id, person, kind, running, shown, step, steps in rows
    ]


async def signature(store: Store) -> tuple[object, ...]:
    """Values that differ when a job has come, started or ended. Reads an index only."""
    row = await store.row(
        "SELECT count(*), max(id), sum(id), sum(state = ?) FROM job WHERE state IN (?, ?)",
        JobState.RUNNING,
        *ACTIVE,
    )
    assert row is not None
    return tuple(row)


async def next_waiting(store: Store, kind: JobKind) -> Job | None:
    """The oldest waiting job of a kind, None if none waits."""
    row = await store.row(
        "SELECT * FROM job WHERE state = ? AND kind = ? ORDER BY id LIMIT 1", JobState.QUEUED, kind
    )
    return None if row is None else jobs.of_row(row)
