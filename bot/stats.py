"""The text of /stats: how the bot does today, for admins."""

from __future__ import annotations

import time

from bot.disk import GIGABYTE, Use
from bot.store import Store
from bot.tables import stats
from bot.tables.jobs import JobKind
from bot.tables.stats import KindStats
from bot.tables.usage import DAY
from bot.words import Words

MEGABYTE = 1_000_000


async def text(words: Words, store: Store, use: Use, devices: dict[str, str]) -> str:
    """HTML. ``devices`` are the workers that can take jobs, and what each computes on. A day begins at 0:00 UTC."""
    now = time.time()
    today = now - now % DAY
    known, active, banned = await stats.people(store, today)
    lines = [words("stats-people", n=known, active=active, banned=banned)]
    for kind in JobKind:
        lines += _kind(words, kind, await stats.jobs(store, kind, today))
    found = await stats.errors(store, today)
    lines += [words("stats-errors", errors=", ".join(f"{code} {n}" for code, n in found))] if found else []
    lines.append(
        words(
            "stats-disk",
            share=round(100 * use.share),
            used=words.number(use.used / GIGABYTE, 2),
            budget=words.number(use.budget / GIGABYTE, 2),
            database=words.number(await stats.database_bytes(store) / MEGABYTE, 1),
        )
    )
    lines += [words("stats-worker", worker=worker, device=device) for worker, device in devices.items()]
    return "\n".join(lines if devices else [*lines, words("stats-no-worker")])


# The text that counts the jobs of a kind.
COUNTS = {
    JobKind.TRAIN: "stats-trainings",
    JobKind.DRAW: "stats-draws",
    JobKind.CUT_OUT: "stats-cutouts",
}


def _kind(words: Words, kind: JobKind, found: KindStats) -> list[str]:
    """A line of counts and, if any has ended today, a line of waiting times."""
    lines = [
        words(
            COUNTS[kind],
            queued=found.queued,
            running=found.running,
            done=found.done,
            failed=found.failed,
            cancelled=found.cancelled,
        )
    ]
    if found.median_wait is not None and found.longest_wait is not None:
        times = {"median": words.duration(found.median_wait), "longest": words.duration(found.longest_wait)}
        lines.append(words("stats-wait", **times))
    return lines
