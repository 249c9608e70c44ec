"""A worker's heartbeat: a thread that tells the engine that the process runs, and whether its main loop goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lora.engine.wire import Heartbeat

SECONDS_BETWEEN = 1.0


class HeartbeatThread:
    """Sends a Heartbeat every second; ``mark`` is called by the main loop whenever it goes on."""

    def __init__(self, send: Callable[[Heartbeat], None]) -> None:
        self._send = send
        self._progress = 0
        self._idle = False

    def start(self) -> None:
        """Begin to send. The thread ends with the process, or when nobody reads any more."""
        threading.Thread(target=self._run, daemon=True).start()

    def mark(self, *, idle: bool) -> None:
        """The main loop has come this far; ``idle`` if it waits for a job now."""
        self._progress += 1
        self._idle = idle

    def _run(self) -> None:
        while True:
            try:
                self._send(Heartbeat(progress=self._progress, idle=self._idle))
            except OSError:  # the bot is gone, which ends this process through its stdin
                return
            time.sleep(SECONDS_BETWEEN)
