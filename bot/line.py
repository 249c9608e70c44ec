"""The line of waiting and running jobs in memory, so that a place in it costs no query for each job before it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from bot.store import Store
from bot.tables import line
from bot.tables.jobs import JobKind
from bot.tables.line import InLine

ROWS_PER_SECOND = 2500  # a line of n jobs is read again every n / ROWS_PER_SECOND seconds at most
LONGEST_AGE = 30.0  # seconds
SHORT = 500  # jobs: so many are sorted in a millisecond


class Queue:
    """The jobs of one kind in their order: people take turns, so first everybody's oldest job, then the second ones.

    ``steps``, ``defaults`` and ``waiting`` are sums over the jobs before each place.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.steps: list[int] = [0]  # still to do, of jobs that say how many
        self.defaults: list[int] = [0]  # jobs that have as many steps as the base's default
        self.waiting: list[int] = [0]  # jobs that do not run
        self._jobs: list[tuple[int, int, InLine]] = []  # (older jobs of this person, id, job), in order
        self._of_person: Counter[int] = Counter()
        self._places: dict[int, int] = {}

    def add(self, jobs: Iterable[InLine]) -> None:
        """Add jobs that are younger than those that are here, oldest first."""
        for job in jobs:
            self._jobs.append((self._of_person[job.person], job.id, job))
            self._of_person[job.person] += 1
        self._jobs.sort()
        self.ids = [id for _, id, _ in self._jobs]
        self._places = {id: place for place, id in enumerate(self.ids)}
        self.waiting = list(accumulate((not job.running for _, _, job in self._jobs), initial=0))
        left = ((job.steps or 0) - job.step for _, _, job in self._jobs)
        self.steps = list(accumulate(left, initial=0))
        self.defaults = list(accumulate((job.steps is None for _, _, job in self._jobs), initial=0))

    def remove(self, id: int) -> None:
        """Forget a job that has ended; its person's later ones move up."""
        (rank, _, gone) = next(one for one in self._jobs if one[1] == id)
        kept = [one for one in self._jobs if one[1] != id]
        self._jobs = [
            (before - (job.person == gone.person and before > rank), other, job)
            for before, other, job in kept
        ]
        self._of_person[gone.person] -= 1
        self.add(())

    def place(self, id: int) -> int:
        """How many jobs are before this one; of a job that is not here, how many are here."""
        return self._places.get(id, len(self.ids))


class Line:
    """A copy of the active jobs' rows, some seconds old if the line is long."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = float("-inf")  # monotonic seconds
        self._signature: object = None
        self._newest = 0  # the highest id in the copy
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
            self._newest = 0
            self._add(await line.read(self._store))

    async def include(self, id: int) -> None:
        """Make sure that a new job is in the copy."""
        if id > self._newest:
            self._add(await line.read(self._store, after=self._newest))

    def drop(self, id: int) -> None:
        """A job has ended. A long line keeps it until it is read again."""
        if id in self.jobs and len(self.jobs) <= SHORT:
            self.queues[self.jobs.pop(id).kind].remove(id)

    def _add(self, rows: Iterable[InLine]) -> None:
        new = [job for job in rows if job.id not in self.jobs]
        self.jobs |= {job.id: job for job in new}
        self._newest = max((job.id for job in new), default=self._newest)
        for kind, queue in self.queues.items():
            if of_kind := [job for job in new if job.kind == kind]:
                queue.add(of_kind)
