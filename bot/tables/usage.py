"""How much each person has asked for on each day (UTC), and how much is kept of them.

Triggers on the table ``job`` count (``QUOTAS`` in ``bot.migrations``), so each way to ask for a job is counted, in the
same transaction. What failed by itself, or was cancelled before it began, is counted back; of a draw that fails in
part, what was not drawn.
"""

from __future__ import annotations

import time

from bot.store import Store
from bot.tables.jobs import JobKind

DAY = 24 * 3600  # seconds


async def used_today(store: Store, person: int, kind: JobKind) -> int:
    """Trainings, or pictures, that a person has asked for today."""
    found = await store.value(
        "SELECT used FROM usage WHERE id = ? AND kind = ? AND day = ?", person, kind, int(time.time()) // DAY
    )
    return int(found or 0)


async def count_back(store: Store, job: int) -> None:
    """A row that is written as a training, and that nobody has to train, does not count."""
    await store.change(
        "UPDATE usage SET used = used - 1 WHERE (id, kind, day) IN"
        " (SELECT person, kind, CAST(asked_at / 86400 AS INTEGER) FROM job WHERE id = ?)",
        job,
    )


def seconds_until_tomorrow() -> float:
    """The seconds until the next day begins (UTC)."""
    return DAY - time.time() % DAY


async def kept_samples(store: Store, person: int) -> int:
    """The pictures of all of a person's styles."""
    query = "SELECT count(*) FROM sample WHERE style IN (SELECT id FROM style WHERE person = ?)"
    return int(await store.value(query, person))


async def kept_styles(store: Store, person: int) -> int:
    """A person's styles."""
    return int(await store.value("SELECT count(*) FROM style WHERE person = ?", person))


async def kept_bytes(store: Store, person: int) -> int:
    """What the files of a person's samples and checkpoints take. Unknown sizes count as 0 until the next tidy."""
    styles = "SELECT id FROM style WHERE person = ?1"
    query = (
        f"SELECT coalesce(sum(bytes), 0) FROM (SELECT bytes FROM sample WHERE style IN ({styles})"  # noqa: S608
        f" UNION ALL SELECT bytes FROM checkpoint WHERE style IN ({styles}))"
    )
    return int(await store.value(query, person))


async def without_size(store: Store) -> list[tuple[str, int, list[str]]]:
    """(table, id, blobs) of rows whose size is not known."""
    samples = await store.rows("SELECT id, blob FROM sample WHERE bytes IS NULL")
    checkpoints = await store.rows("SELECT id, adapter FROM checkpoint WHERE bytes IS NULL")
    return [("sample", row[0], [row[1]]) for row in samples] + [
        ("checkpoint", row[0], [row[1]]) for row in checkpoints
    ]


async def store_size(store: Store, table: str, id: int, bytes: int) -> None:
    """Remember the size of a row's files."""
    await store.change(f"UPDATE {table} SET bytes = ? WHERE id = ?", bytes, id)  # noqa: S608 - one of two names


async def forget_old(store: Store) -> None:
    """Delete the counts of days that are over."""
    await store.change("DELETE FROM usage WHERE day < ?", int(time.time()) // DAY)
