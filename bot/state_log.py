"""One log line when something begins to fail and one when it works again, instead of one per try."""

from __future__ import annotations

import logging

from bot.telling import Extra


class StateLog:
    """Remembers which state was logged last."""

    def __init__(self, log: logging.Logger, recovered: str) -> None:
        self._log = log
        self._recovered = recovered
        self._state: str | None = None

    @property
    def failing(self) -> bool:
        """Whether the last that was said is a failure."""
        return self._state is not None

    def fails(
        self, state: str, text: str, *, level: int = logging.WARNING, extra: Extra | None = None
    ) -> None:
        """Log ``text``, unless ``state`` is the one that was logged last."""
        if state != self._state:
            self._state = state
            self._log.log(level, "%s", text, extra=extra)

    def works(self) -> None:
        """Log that the failing state is over, if there was one."""
        if self._state is not None:
            self._state = None
            self._log.info("%s", self._recovered)
