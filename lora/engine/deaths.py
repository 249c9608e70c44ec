"""When a worker that dies again and again is left out, so that its jobs are not lost again and again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

MOST, WITHIN_SECONDS = 3, 600.0  # the third death within ten minutes is the last one


class Deaths:
    """The deaths of one worker that may be its device's fault."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()  # monotonic seconds

    def __len__(self) -> int:
        """How many there were within the last ten minutes."""
        while self._times and time.monotonic() - self._times[0] > WITHIN_SECONDS:
            self._times.popleft()
        return len(self._times)

    def count(self, jobs: Mapping[int, int]) -> None:
        """The worker died while it had these jobs (id -> attempt).

        Not counted if it had a single job that was tried before: then that job is the more likely cause, and after
        some attempts it fails.
        """
        if not (len(jobs) == 1 and max(jobs.values()) > 1):
            self._times.append(time.monotonic())

    @property
    def too_many(self) -> bool:
        """Whether the worker should not be started again."""
        return len(self) >= MOST
