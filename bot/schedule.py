"""When the messages of active jobs are looked at again: often at the front of the line, seldom far behind.

If everybody's place were kept true to the second, one job that ends would mean an edit for each job in line.
"""

from __future__ import annotations

import heapq

from bot.line import Line

SECONDS_PER_PLACE = 2.0  # the 10th in line is looked at every 20 s; 5,000 in line make four looks a second


class Schedule:
    """A heap of (time, job). Times are monotonic seconds."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._heap: list[tuple[float, int]] = []
        self._known: set[int] = set()

    def due(self, now: float) -> set[int]:
        """The people with a job that is to be looked at now. New jobs without a message are due at once."""
        for id in self._line.jobs.keys() - self._known:
            self._known.add(id)
            first = now if not self._line.jobs[id].shown else now + self._interval(id)
            heapq.heappush(self._heap, (first, id))
        people: set[int] = set()
        while self._heap and self._heap[0][0] <= now:
            _, id = heapq.heappop(self._heap)
            job = self._line.jobs.get(id)
            if job is None:  # it has ended
                self._known.discard(id)
                continue
            people.add(job.person)
            heapq.heappush(self._heap, (now + self._interval(id), id))
        return people

    def _interval(self, id: int) -> float:
        """Seconds between two looks at a job."""
        job = self._line.jobs[id]
        place = 0 if job.running else self._line.queues[job.kind].place(id)
        return 1.0 + SECONDS_PER_PLACE * place
