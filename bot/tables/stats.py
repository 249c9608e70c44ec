"""What /stats counts: people, jobs, waiting times and errors since a time (seconds since 1970)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store import Store
from bot.tables.jobs import JobKind, JobState


@dataclass(frozen=True, kw_only=True)
class KindStats:
    """The jobs of one kind: active ones, ended ones since then, and the seconds that these waited."""

    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    median_wait: float | None
    longest_wait: float | None


async def people(store: Store, since: float) -> tuple[int, int, int]:
    """How many people are known, have written since then, and are banned."""
    row = await store.row(
        "SELECT (SELECT count(*) FROM person),"
        " (SELECT count(DISTINCT person) FROM inbox WHERE received_at >= ? AND person > 0),"
        " (SELECT count(*) FROM ban)",
        since,
    )
    assert row is not None
    return row[0], row[1], row[2]


async def jobs(store: Store, kind: JobKind, since: float) -> KindStats:
    """The jobs of a kind, by their states."""
    rows = await store.rows(
        "SELECT state, count(*) FROM job WHERE kind = ?1 AND state IN ('queued', 'running') GROUP BY state"
        " UNION ALL SELECT state, count(*) FROM job WHERE kind = ?1 AND ended_at >= ?2 GROUP BY state",
        kind,
        since,
    )
    counts = {row[0]: row[1] for row in rows}
    waits = [
        row[0]
        for row in await store.rows(
            "SELECT started_at - asked_at AS wait FROM job WHERE kind = ? AND ended_at >= ?"
            " AND started_at IS NOT NULL AND asked_at IS NOT NULL ORDER BY wait",
            kind,
            since,
        )
    ]
    return KindStats(
        **{state.value: counts.get(state.value, 0) for state in JobState},
        median_wait=waits[len(waits) // 2] if waits else None,
        longest_wait=waits[-1] if waits else None,
    )


async def queue(store: Store) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs wait or run, by kind and state."""
    rows = await store.rows(
        "SELECT kind, state, count(*) AS n FROM job WHERE state IN ('queued', 'running') GROUP BY state, kind"
    )
    return {(JobKind(row["kind"]), JobState(row["state"])): int(row["n"]) for row in rows}


async def oldest_queued(store: Store, kind: JobKind) -> float | None:
    """When the oldest job that waits was asked for (seconds since 1970)."""
    asked_at: float | None = await store.value(
        "SELECT asked_at FROM job WHERE state = 'queued' AND kind = ? ORDER BY id LIMIT 1", kind
    )
    return asked_at


async def waiting_updates(store: Store) -> int:
    """How many stored updates are not worked off."""
    found = "SELECT count(*) FROM inbox WHERE state = 'waiting' AND state IN ('waiting', 'kept')"
    return int(await store.value(found))


async def errors(store: Store, since: float) -> list[tuple[str, int]]:
    """Why jobs failed since then, with how many, the most frequent first."""
    rows = await store.rows(
        "SELECT error, count(*) AS n FROM job WHERE ended_at >= ? AND state = 'failed'"
        " GROUP BY error ORDER BY n DESC, error",
        since,
    )
    return [(str(row["error"]), int(row["n"])) for row in rows]


async def database_bytes(store: Store) -> int:
    """The size of the database's file."""
    pages, size = await store.value("PRAGMA page_count"), await store.value("PRAGMA page_size")
    return int(pages) * int(size)
