"""The active jobs in their order, with only the columns that ``bot.line`` keeps in memory."""

from __future__ import annotations

from typing import NamedTuple

from bot.store import Store
from bot.tables.jobs import ACTIVE, JobKind, JobState
from lora.jobs import USUAL_STEPS, DrawOptions


class InLine(NamedTuple):  # made by the thousand: a dataclass takes twice as long
    """What the place and the time left of an active job are computed from."""

    id: int
    person: int
    kind: JobKind  # its lane
    running: bool
    shown: bool  # a message in the chat shows it
    step: int
    steps: int | None  # of the whole job; None = the base's default
    adapter: str | None = None  # of a draw
    losses: int = 0  # workers that died with it, alone or with others


async def read(store: Store, *, after: int = 0) -> list[InLine]:
    """All active jobs whose id is above ``after``, by id."""
    return await _read(store, "state IN (?5, ?6) AND id > ?7 ORDER BY id", *ACTIVE, after)


async def waiting(store: Store, id: int) -> InLine | None:
    """This job if it waits."""
    found = await _read(store, "state = ?5 AND id = ?6", JobState.QUEUED, id)
    return found[0] if found else None


async def _read(store: Store, where: str, *params: object) -> list[InLine]:
    columns = (
        "id, person, kind, state = ?1, message_id IS NOT NULL, step, CASE WHEN kind != ?2 THEN steps"
        " WHEN uncut IS NOT NULL THEN 1 ELSE"
        " coalesce(json_extract(options, '$.steps'), ?3) * coalesce(json_extract(options, '$.count'), ?4) END,"
        " adapter, losses + shared_losses"
    )
    rows = await store.rows(
        f"SELECT {columns} FROM job WHERE {where}",  # noqa: S608 - constants only
        *(JobState.RUNNING, JobKind.DRAW, USUAL_STEPS, DrawOptions.count, *params),
    )
    kinds = {str(kind): kind.lane for kind in JobKind}
    return [
        InLine(id, person, kinds[kind], bool(running), bool(shown), step, steps, adapter, losses)
        for id, person, kind, running, shown, step, steps, adapter, losses in rows
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
