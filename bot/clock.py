"""Stored moments, which may lie in the future: a clock that was wrong is set back."""

from __future__ import annotations

import time


def lately(at: float, seconds: float) -> bool:
    """Whether ``at`` (seconds since 1970) is at most so many seconds ago. A moment of a clock that was ahead is not."""
    return 0 <= time.time() - at < seconds
