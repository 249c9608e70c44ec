"""Whose turn it is: the waiting jobs of one kind, in an order in which people take turns."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter
from collections.abc import Callable

from bot.tables.line import InLine


class Turns:
    """First is who has the fewest jobs with workers, then who has waited longest; of one person the oldest job.

    A person waits from the arrival of a job, or from the moment when a job of theirs left a worker. So at most one
    waiting job of each other person starts before the only job of a person who has just come. A change costs
    O(log n); nothing is read from anywhere.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, list[InLine]] = {}  # person -> their waiting jobs, oldest first
        self._people: dict[int, int] = {}  # waiting job -> person
        self._in_hand: Counter[int] = Counter()  # person -> their jobs that workers have
        self._since: dict[int, int] = {}  # person -> since when they wait, in changes
        self._changes = 0
        self._heap: list[tuple[int, int, int]] = []  # (in hand, since, person); outdated ones are skipped

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self._people)

    def add(self, job: InLine, *, first: bool = False) -> None:
        """A job waits; with ``first`` its person is before all others, because the job has waited before."""
        person, jobs = job.person, self._jobs.setdefault(job.person, [])
        new = not jobs and person not in self._since
        insort(jobs, job)  # by id
        self._people[job.id] = person
        if first or new:
            self._set_since(person, first=first)
        elif len(jobs) == 1:
            self._push(person)

    def remove(self, id: int) -> InLine | None:
        """A job does not wait any more; None if it did not."""
        if (person := self._people.pop(id, None)) is None:
            return None
        jobs = self._jobs[person]
        job = next(one for one in jobs if one.id == id)
        jobs.remove(job)
        if not jobs:
            del self._jobs[person]
            self._forget(person)
        return job

    def take(self, job: InLine) -> None:
        """A job goes to a worker, whether it waited here or not."""
        self._in_hand[job.person] += 1
        self._set_since(job.person)
        self.remove(job.id)

    def release(self, person: int) -> None:
        """A job of this person has left its worker."""
        self._in_hand[person] -= 1
        self._set_since(person)
        self._forget(person)

    def first(self, may: Callable[[InLine], bool]) -> InLine | None:
        """The next job of those for which ``may`` is true; None if there is none."""
        passed = []
        found: InLine | None = None
        while self._heap and found is None:
            in_hand, since, person = entry = self._heap[0]
            if person not in self._jobs or (in_hand, since) != self._key(person):
                heapq.heappop(self._heap)
            elif may(self._jobs[person][0]):
                found = self._jobs[person][0]
            else:
                passed.append(entry)
                heapq.heappop(self._heap)
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found

    def _key(self, person: int) -> tuple[int, int]:
        return self._in_hand[person], self._since[person]

    def _set_since(self, person: int, *, first: bool = False) -> None:
        self._changes += 1
        self._since[person] = -self._changes if first else self._changes
        self._push(person)

    def _push(self, person: int) -> None:
        if person in self._jobs:
            heapq.heappush(self._heap, (*self._key(person), person))

    def _forget(self, person: int) -> None:
        """Keep nothing of who has no job here."""
        if person not in self._jobs and not self._in_hand[person]:
            del self._in_hand[person]
            self._since.pop(person, None)
