"""The progress of a training: a bar at a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from lora.cli.terminal import say

if TYPE_CHECKING:
    from lora.jobs import Progress

SECONDS_BETWEEN_LINES = 5.0


class ProgressBar:
    """Shows steps with loss, learning rate and time left; other lines are printed above the bar."""

    def __init__(self, *, visible: bool, steps: int, done: int) -> None:
        self._visible = visible
        self._printed_at = 0.0
        self._bar = None
        if visible and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=steps, initial=done, desc="steps", unit="step", dynamic_ncols=True)

    def step(self, event: Progress, lr: float) -> None:
        """Show a step that is done."""
        if not self._visible:
            return
        figures = f"loss {event.loss:.4f}, rate {lr:.2e}"
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(event.step - self._bar.n)
            return
        if time.monotonic() - self._printed_at > SECONDS_BETWEEN_LINES or event.step == event.steps:
            self._printed_at = time.monotonic()
            say(f"step {event.step}/{event.steps}, {figures}, {event.seconds_left:.0f} s left")

    def say(self, text: str) -> None:
        """Print a line of text."""
        if not self._visible:
            return
        if self._bar is not None:
            self._bar.clear()
        say(text)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        """End the bar's line, so that later output starts on a new one."""
        if self._bar is not None:
            self._bar.close()
