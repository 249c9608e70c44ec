"""Tells when a worker has to be replaced, from the heartbeats that it sends.

A worker's heartbeats come from a thread of their own, so they prove only that its process runs. Each one says how
often the main loop has gone on: a loop that hangs is found although the heartbeats still come.
"""

from __future__ import annotations

from typing import Any

from lora.engine.wire import Heartbeat

TICK_SECONDS = 1.0


class Watchdog:
    """Counts the ticks since a worker was last heard, and since its main loop last went on.

    Ticks are counted and no clock is read: if this process was stopped itself, it finds one tick and what the
    worker has sent meanwhile.
    """

    def __init__(self, *, silent_seconds: float, stuck_seconds: float) -> None:
        self._silent_seconds = silent_seconds
        self._stuck_seconds = stuck_seconds
        self._silent = self._stuck = 0  # ticks
        self._progress: int | None = None  # that of the newest heartbeat; None before the first

    def hear(self, frame: Any) -> None:
        """The worker has sent something."""
        self._silent = 0
        if isinstance(frame, Heartbeat):
            if frame.idle or frame.progress != self._progress:
                self._stuck = 0
            self._progress = frame.progress

    def tick(self) -> str | None:
        """Count one tick; gives what is wrong with the worker, None if nothing is.

        Before the first heartbeat the worker imports its libraries, so only the longer patience applies.
        """
        self._silent += 1
        self._stuck += 1
        if self._progress is not None and self._silent * TICK_SECONDS > self._silent_seconds:
            return f"has been silent for {self._silent * TICK_SECONDS:.0f} s"
        if self._stuck * TICK_SECONDS > self._stuck_seconds:
            return f"has made no progress for {self._stuck * TICK_SECONDS:.0f} s"
        return None
