"""Jobs: durable rows that ask for a train or a draw; claims and fences."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row. ``attempt`` fences: a change counts only while that attempt is running."""

    id: int
    person: int
    kind: str  # train | draw
    style: int | None
    origin: str
    state: str  # queued | running | done | failed | cancelled
    attempt: int
    losses: int
    adapter: str | None
    keyword: str
    prompt: str = field(repr=False)
    cfg: float
    seed: int
    steps: int | None
    count: int
    step: int
    note: str | None
    error: str | None
    message_id: int | None
    told: int

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ("queued", "running")


async def ask_draw(
    store: Store,
    *,
    person: int,
    origin: str,
    style: int | None,
    adapter: str | None,
    keyword: str,
    prompt: str,
    cfg: float,
    seed: int,
    steps: int,
    count: int,
    note: str | None,
) -> None:
    """Insert a draw; the same origin asks once."""
    await store.change(
        "INSERT INTO job"
        " (kind, person, origin, style, adapter, keyword, prompt, cfg, seed, steps, count, note)"
        " VALUES ('draw', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, origin) DO NOTHING",
        *(person, origin, style, adapter, keyword, prompt, cfg, seed, steps, count, note),
    )


async def ask_train(
    store: Store, *, person: int, origin: str, style: int, keyword: str, steps: int | None, seed: int
) -> None:
    """Insert a training on the samples as they are now; one without a caption gets the keyword as its own."""
    async with store.transaction():
        row = await store.row(
            "INSERT INTO job (person, kind, origin, style, keyword, steps, seed, count) VALUES"
            " (?1, 'train', ?2, ?3, ?4, ?5, ?6, (SELECT count(*) FROM sample WHERE style = ?3)) RETURNING id",
            *(person, origin, style, keyword, steps, seed),
        )
        assert row is not None
        await store.change(
            "INSERT INTO job_sample SELECT ?1, row_number() OVER (ORDER BY id), blob, coalesce(caption, ?3)"
            " FROM sample WHERE style = ?2",
            *(row["id"], style, keyword),
        )


async def get(store: Store, id: int) -> Job | None:
    """The job, None if there is no such."""
    row = await store.row("SELECT * FROM job WHERE id = ?", id)
    return None if row is None else Job(**dict(row))


async def by_origin(store: Store, person: int, origin: str) -> Job | None:
    """The job that a message or a button press has asked for already."""
    row = await store.row("SELECT * FROM job WHERE person = ? AND origin = ?", person, origin)
    return None if row is None else Job(**dict(row))


async def active(store: Store) -> list[Job]:
    """All waiting and running jobs in the order in which they are served."""
    rows = await store.rows(
        "SELECT * FROM job WHERE state IN ('queued', 'running') ORDER BY kind = 'train', id"
    )
    return [Job(**dict(row)) for row in rows]


async def active_of(store: Store, person: int) -> list[Job]:
    """A person's waiting and running jobs, oldest first."""
    rows = await store.rows(
        "SELECT * FROM job WHERE person = ? AND state IN ('queued', 'running') ORDER BY id", person
    )
    return [Job(**dict(row)) for row in rows]


async def to_tell(store: Store, person: int) -> list[Job]:
    """A person's jobs of which something may have to be told."""
    rows = await store.rows(
        "SELECT job.* FROM job JOIN person ON person.id = person"
        " WHERE person = ? AND told = 0 AND NOT blocked ORDER BY job.id",
        person,
    )
    return [Job(**dict(row)) for row in rows]


async def people_to_tell(store: Store) -> list[int]:
    """Whose jobs have news, or are on their way."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM job JOIN person ON person.id = person WHERE told = 0 AND NOT blocked"
    )
    return [row[0] for row in rows]


async def claim(store: Store, kind: str, *, fresh_only: bool = False) -> Job | None:
    """Take the oldest waiting job of a kind; its attempt counts from here. Lost ones wait if fresh_only."""
    row = await store.row(
        "UPDATE job SET state = 'running', attempt = attempt + 1 WHERE id = (SELECT id FROM job"
        " WHERE state = 'queued' AND kind = ? AND (losses = 0 OR NOT ?) ORDER BY id LIMIT 1) RETURNING *",
        kind,
        fresh_only,
    )
    return None if row is None else Job(**dict(row))


async def running(store: Store, kind: str) -> list[Job]:
    """The jobs of a kind that a worker has."""
    rows = await store.rows("SELECT * FROM job WHERE state = 'running' AND kind = ?", kind)
    return [Job(**dict(row)) for row in rows]


async def is_mine(store: Store, id: int, attempt: int) -> Job | None:
    """The job if this attempt is the one that is running; None for a voice from the past."""
    row = await store.row("SELECT * FROM job WHERE id = ? AND attempt = ? AND state = 'running'", id, attempt)
    return None if row is None else Job(**dict(row))


async def end(store: Store, id: int, attempt: int, state: str, error: str | None = None) -> bool:
    """Finish a running attempt; False if it is not the one that is running."""
    changed = await store.change(
        "UPDATE job SET state = ?, error = ? WHERE id = ? AND attempt = ? AND state = 'running'",
        *(state, error, id, attempt),
    )
    return bool(changed)


async def lose(store: Store, id: int, attempt: int, *, blame: bool, attempts: int) -> None:
    """The worker of this attempt is gone: wait again, or fail if it is blamed for the last time."""
    await store.change(
        "UPDATE job SET losses = losses + ?1, state = iif(losses + ?1 >= ?2, 'failed', 'queued'),"
        " error = iif(losses + ?1 >= ?2, 'internal', NULL)"
        " WHERE id = ?3 AND attempt = ?4 AND state = 'running'",
        *(int(blame), attempts, id, attempt),
    )


async def requeue_all(store: Store) -> int:
    """At the bot's start no worker has a job: all that were running wait again."""
    return await store.change("UPDATE job SET state = 'queued' WHERE state = 'running'")


async def cancel(store: Store, person: int, id: int) -> Job | None:
    """End one of the person's jobs, whatever a worker still does with it; None if it was over."""
    row = await store.row(
        "UPDATE job SET state = 'cancelled'"
        " WHERE id = ? AND person = ? AND state IN ('queued', 'running') RETURNING *",
        *(id, person),
    )
    return None if row is None else Job(**dict(row))


async def tell(store: Store, id: int) -> None:
    """Remember that the end of a job has been told."""
    await store.change("UPDATE job SET told = 1 WHERE id = ?", id)


async def show_in(store: Store, id: int, message_id: int) -> None:
    """Remember the bot's message that shows how a job goes."""
    await store.change("UPDATE job SET message_id = ? WHERE id = ?", message_id, id)
