"""What a GPU keeps only to save time later: one thing at a time. Whoever runs out of memory frees it first."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

_kept: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # by its network, with which it goes; at most one


def keep(network: Any, value: Any) -> None:
    """Keep a value as long as its network, which it must not refer to. What was kept before is freed."""
    free()
    _kept[network] = value


def take(network: Any) -> Any:
    """What is kept for a network, or None; nothing is kept from then on."""
    value = _kept.get(network)
    free()
    return value


def free() -> bool:
    """Free what is kept: whether there was anything, so that work that ran out of memory can be tried again."""
    found = bool(_kept)
    _kept.clear()
    return found
