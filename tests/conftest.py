"""The order of the tests: the longest files come first, and those of the bot fill the time at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
# Workers of several tests share the cores: their threads wait without a loop (lora/engine/openmp.py).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys and tests of networks first; in `make test`, two processes then end at about the same time."""
    items.sort(key=lambda item: "bot" in item.path.relative_to(ROOT).parts)
