"""Jobs: rows that ask for a training or a draw, and the changes of their state."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum

from bot.store import Store
from lora.jobs import DrawOptions


class JobKind(StrEnum):
    """What a job asks for."""

    TRAIN = "train"  # an adapter from the samples of a style
    DRAW = "draw"  # stickers of a prompt


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"  # waits for a worker, also after its worker was lost
    RUNNING = "running"  # its newest attempt was handed to a worker
    DONE = "done"  # the worker has finished it
    FAILED = "failed"  # it cannot be done; ``error`` says why
    CANCELLED = "cancelled"  # the person has stopped it


ACTIVE = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row.

    ``attempt`` is a fence: what a worker reports of a job changes the row only if it comes from the attempt that is
    running. ``prompt``, ``adapter`` and ``options`` are those of a draw; ``steps``, ``seed``, ``samples`` and ``step``
    those of a training. ``bot/migrations.py`` explains every column.
    """

    id: int
    person: int
    kind: JobKind
    style: int | None
    origin: str
    state: JobState
    attempt: int
    losses: int
    adapter: str | None
    keyword: str
    prompt: str = field(repr=False)
    prompt_original: str | None = field(repr=False)
    prompt_unknown: str = field(repr=False)
    options: DrawOptions
    steps: int | None
    seed: int
    samples: int
    step: int
    note: str | None
    error: str | None
    message_id: int | None
    told: bool

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE


def _job(row: sqlite3.Row) -> Job:
    typed = {
        "kind": JobKind(row["kind"]),
        "state": JobState(row["state"]),
        "told": bool(row["told"]),
        "options": _options(row["options"]),
    }
    return Job(**(dict(row) | typed))


def _options(text: str) -> DrawOptions:
    """The options of a row as they are known today.

    A row that was written before a field existed gets its default. A field that is not known is ignored: it was
    written by a newer version of the bot, or has been removed since, and the job can be shown without it.
    """
    stored = json.loads(text)
    known = [entry.name for entry in fields(DrawOptions)]
    return DrawOptions(**{name: stored[name] for name in known if name in stored})


async def ask_draw(
    store: Store,
    *,
    person: int,
    origin: str,
    style: int | None,
    adapter: str | None,
    keyword: str,
    prompt: str,
    prompt_original: str | None = None,
    prompt_unknown: str = "",
    options: DrawOptions,
    note: str | None,
) -> None:
    """Insert a draw. A second one of the same person and origin is not inserted."""
    await store.change(
        "INSERT INTO job (kind, person, origin, style, adapter, keyword, prompt, prompt_original, prompt_unknown,"
        " options, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, origin) DO NOTHING",
        JobKind.DRAW,
        person,
        origin,
        style,
        adapter,
        keyword,
        prompt,
        prompt_original,
        prompt_unknown,
        json.dumps(asdict(options)),
        note,
    )


async def ask_train(
    store: Store, *, person: int, origin: str, style: int, keyword: str, steps: int | None, seed: int
) -> None:
    """Insert a training with a copy of the style's samples; the caption of one without is the keyword.

    Raises Clash if the style has a waiting or running training, or the origin has asked before.
    """
    async with store.transaction():
        id = await store.value(
            "INSERT INTO job (person, kind, origin, style, keyword, steps, seed, samples) VALUES"
            " (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT count(*) FROM sample WHERE style = ?4)) RETURNING id",
            person,
            JobKind.TRAIN,
            origin,
            style,
            keyword,
            steps,
            seed,
        )
        await store.change(
            "INSERT INTO job_sample SELECT ?1, row_number() OVER (ORDER BY id), blob, coalesce(caption, ?3)"
            " FROM sample WHERE style = ?2",
            id,
            style,
            keyword,
        )


async def get(store: Store, id: int) -> Job | None:
    """The job, None if there is no such."""
    row = await store.row("SELECT * FROM job WHERE id = ?", id)
    return None if row is None else _job(row)


async def by_origin(store: Store, person: int, origin: str) -> Job | None:
    """The job that this message or button press has asked for, None if it has not asked yet."""
    row = await store.row("SELECT * FROM job WHERE person = ? AND origin = ?", person, origin)
    return None if row is None else _job(row)


async def active(store: Store) -> list[Job]:
    """All waiting and running jobs in the order in which they are served: draws first, then by age."""
    rows = await store.rows(
        "SELECT * FROM job WHERE state IN (?, ?) ORDER BY kind = ?, id", *ACTIVE, JobKind.TRAIN
    )
    return [_job(row) for row in rows]


async def active_of(store: Store, person: int) -> list[Job]:
    """A person's waiting and running jobs, oldest first."""
    rows = await store.rows(
        "SELECT * FROM job WHERE person = ? AND state IN (?, ?) ORDER BY id", person, *ACTIVE
    )
    return [_job(row) for row in rows]


async def to_tell(store: Store, person: int) -> list[Job]:
    """A person's jobs whose end has not been told yet, oldest first; none if the person has blocked the bot."""
    rows = await store.rows(
        "SELECT job.* FROM job JOIN person ON person.id = person"
        " WHERE person = ? AND told = 0 AND NOT blocked ORDER BY job.id",
        person,
    )
    return [_job(row) for row in rows]


async def people_to_tell(store: Store) -> list[int]:
    """The people for whom ``to_tell`` finds a job."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM job JOIN person ON person.id = person WHERE told = 0 AND NOT blocked"
    )
    return [row[0] for row in rows]


async def claim(store: Store, kind: JobKind, *, fresh_only: bool = False) -> Job | None:
    """Make the oldest waiting job of a kind a running one, with a new attempt; None if none waits.

    With ``fresh_only`` jobs that were blamed for the loss of a worker are left waiting.
    """
    row = await store.row(
        "UPDATE job SET state = ?, attempt = attempt + 1 WHERE id = (SELECT id FROM job"
        " WHERE state = ? AND kind = ? AND (losses = 0 OR NOT ?) ORDER BY id LIMIT 1) RETURNING *",
        JobState.RUNNING,
        JobState.QUEUED,
        kind,
        fresh_only,
    )
    return None if row is None else _job(row)


async def running(store: Store, kind: JobKind) -> list[Job]:
    """The running jobs of a kind."""
    rows = await store.rows("SELECT * FROM job WHERE state = ? AND kind = ?", JobState.RUNNING, kind)
    return [_job(row) for row in rows]


async def running_attempt(store: Store, id: int, attempt: int) -> Job | None:
    """The job if this attempt of it is running; None if it has ended or a later attempt is running."""
    row = await store.row(
        "SELECT * FROM job WHERE id = ? AND attempt = ? AND state = ?", id, attempt, JobState.RUNNING
    )
    return None if row is None else _job(row)


async def end(store: Store, id: int, attempt: int, state: JobState, error: str | None = None) -> bool:
    """End a running attempt; False, and no change, if this attempt is not running."""
    changed = await store.change(
        "UPDATE job SET state = ?, error = ? WHERE id = ? AND attempt = ? AND state = ?",
        state,
        error,
        id,
        attempt,
        JobState.RUNNING,
    )
    return bool(changed)


async def lose(store: Store, id: int, attempt: int, *, blame: bool, attempts: int) -> None:
    """The worker of a running attempt is gone: queue the job again.

    With ``blame`` this is counted, and the job fails when it has been blamed ``attempts`` times.
    """
    await store.change(
        "UPDATE job SET losses = losses + ?1, state = iif(losses + ?1 >= ?2, ?3, ?4),"
        " error = iif(losses + ?1 >= ?2, 'internal', NULL)"
        " WHERE id = ?5 AND attempt = ?6 AND state = ?7",
        int(blame),
        attempts,
        JobState.FAILED,
        JobState.QUEUED,
        id,
        attempt,
        JobState.RUNNING,
    )


async def requeue_all(store: Store) -> int:
    """Queue all running jobs again, at the start of the bot, when no worker has any; gives their number."""
    return await store.change("UPDATE job SET state = ? WHERE state = ?", JobState.QUEUED, JobState.RUNNING)


async def cancel(store: Store, person: int, id: int) -> Job | None:
    """End a waiting or running job of this person; None if there is no such. Its worker is not told here."""
    row = await store.row(
        "UPDATE job SET state = ? WHERE id = ? AND person = ? AND state IN (?, ?) RETURNING *",
        JobState.CANCELLED,
        id,
        person,
        *ACTIVE,
    )
    return None if row is None else _job(row)


async def mark_told(store: Store, id: int) -> None:
    """Remember that the person has been told the end of a job."""
    await store.change("UPDATE job SET told = 1 WHERE id = ?", id)


async def set_message(store: Store, id: int, message_id: int) -> None:
    """Remember the bot's message that shows the progress of a job."""
    await store.change("UPDATE job SET message_id = ? WHERE id = ?", message_id, id)
