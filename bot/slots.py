"""A limit on how many people's work runs at once. Who waits for Telegram or for a pause holds no slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_held: ContextVar[asyncio.Semaphore | None] = ContextVar("held", default=None)


@asynccontextmanager
async def slot(slots: asyncio.Semaphore) -> AsyncIterator[None]:
    """Hold one of the slots inside the block."""
    async with slots:
        token = _held.set(slots)
        try:
            yield
        finally:
            _held.reset(token)


@asynccontextmanager
async def without_slot() -> AsyncIterator[None]:
    """Give the slot that this task holds, if any, to others inside the block. May be nested."""
    slots = _held.get()
    if slots is None:
        yield
        return
    token = _held.set(None)
    slots.release()
    try:
        yield
    finally:
        _held.reset(token)
        await slots.acquire()
