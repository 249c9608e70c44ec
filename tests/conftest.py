"""The order of the tests: the longest files come first, so that no process ends long after the other."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The journeys first."""
    items.sort(key=lambda item: "journeys" not in item.path.parts)
