"""Tells pictures that the bot does not take and does not send. A filter is one file here and one line in ``FILTERS``.

Imports no other package and nothing heavy: the network is loaded at the first picture, in the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PIL import Image

NONE = "none"  # every picture passes


class Filter(Protocol):
    """Scores pictures."""

    def score(self, image: Image.Image) -> float:
        """RGB picture -> how surely it is unsafe, 0 to 1."""


def _open_nsfw(threads: int) -> Filter:
    from lora.safety.open_nsfw import OpenNsfw

    return OpenNsfw(threads)


# Name -> loader, which is called with the number of threads. NONE needs none.
FILTERS: dict[str, Callable[[int], Filter]] = {"open-nsfw": _open_nsfw}


class Guard:
    """A filter with the score from which a picture is unsafe."""

    def __init__(self, name: str = NONE, *, threshold: float = 1.0, threads: int = 1) -> None:
        assert name == NONE or name in FILTERS, name
        self._name = name
        self._threshold = threshold
        self._threads = threads
        self._filter: Filter | None = None

    def __bool__(self) -> bool:
        """Whether pictures are looked at."""
        return self._name != NONE

    def refuses(self, image: Image.Image) -> bool:
        """Whether an RGB picture is unsafe."""
        return bool(self) and self.score(image) >= self._threshold

    def score(self, image: Image.Image) -> float:
        """RGB picture -> 0 to 1. Must not be called without a filter."""
        if self._filter is None:
            self._filter = FILTERS[self._name](self._threads)
        return self._filter.score(image)
