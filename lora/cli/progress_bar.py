"""How a training shows itself at a terminal: a bar, or a plain line now and then where there is none."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from lora.cli.terminal import say

if TYPE_CHECKING:
    from lora.jobs import Progress

SECONDS_BETWEEN_LINES = 5.0


class ProgressBar:
    """Shows steps with loss, learning rate and time left, and lets other lines pass above them."""

    def __init__(self, *, speaks: bool, steps: int, done: int) -> None:
        self._speaks = speaks
        self._said = 0.0
        self._bar = None
        if speaks and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=steps, initial=done, desc="steps", unit="step", dynamic_ncols=True)

    def step(self, event: Progress, lr: float) -> None:
        """Show that a step is done."""
        if not self._speaks:
            return
        figures = f"loss {event.loss:.4f}, rate {lr:.2e}"
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(event.step - self._bar.n)
            return
        if time.monotonic() - self._said > SECONDS_BETWEEN_LINES or event.step == event.steps:
            self._said = time.monotonic()
            say(f"step {event.step}/{event.steps}, {figures}, {event.seconds_left:.0f} s left")

    def say(self, text: str) -> None:
        """A line of its own."""
        if not self._speaks:
            return
        if self._bar is not None:
            self._bar.clear()
        say(text)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        """Leave the terminal's cursor on a line of its own."""
        if self._bar is not None:
            self._bar.close()
