"""The line of waiting and running jobs in memory, so that a place in it costs no query for each job before it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable

from bot.store import Store
from bot.tables import line
from bot.tables.jobs import JobKind
from bot.tables.line import InLine

ROWS_PER_SECOND = 2500  # a line of n jobs is read again every n / ROWS_PER_SECOND seconds at most
LONGEST_AGE = 30.0  # seconds


class Queue:
    """The jobs of one kind, oldest first. ``steps`` and ``defaults`` are sums over the jobs before each place."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.steps: list[int] = [0]  # still to do, of jobs that say how many
        self.defaults: list[int] = [0]  # jobs that have as many steps as the base's default

    def append(self, job: InLine) -> None:
        """Add the newest job."""
        self.ids.append(job.id)
        self.steps.append(self.steps[-1] + (job.steps or 0) - job.step)
        self.defaults.append(self.defaults[-1] + (job.steps is None))

    def place(self, id: int) -> int:
        """How many jobs are older than this one, which need not be here."""
        return bisect_left(self.ids, id)


class Line:
    """A copy of the active jobs' rows, some seconds old if the line is long."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = float("-inf")  # monotonic seconds
        self._signature: object = None
        self.jobs: dict[int, InLine] = {}
        self.queues = {kind: Queue() for kind in JobKind}

    async def refresh(self) -> None:
        """Read the rows again if they have changed and the copy is old enough."""
        age = time.monotonic() - self._read_at
        if age < len(self.jobs) / ROWS_PER_SECOND:
            return
        signature = await line.signature(self._store)
        if signature != self._signature or age > LONGEST_AGE:
            self._signature, self._read_at = signature, time.monotonic()
            self.jobs, self.queues = {}, {kind: Queue() for kind in JobKind}
            self._append(await line.read(self._store))

    async def include(self, id: int) -> None:
        """Make sure that a new job is in the copy."""
        newest = max((queue.ids[-1] for queue in self.queues.values() if queue.ids), default=0)
        if id > newest:
            self._append(await line.read(self._store, after=newest))

    def _append(self, rows: Iterable[InLine]) -> None:
        for job in rows:
            if job.id not in self.jobs:
                self.jobs[job.id] = job
                self.queues[job.kind].append(job)
