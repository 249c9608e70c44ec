"""How bad a fault is that is not bad by itself: it depends on how many samples have it."""

from __future__ import annotations

SPOILS = 0.25  # of the samples; fewer are outvoted by the good ones


def severity(having: int, total: int) -> str:
    """advice for a few samples, warning when a quarter of them or more have the fault."""
    return "warning" if having >= SPOILS * total else "advice"
