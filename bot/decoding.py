"""Decodes the pictures that people have sent: one at a time, large ones in a process of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lora.data.shrink import shrunk

Result = TypeVar("Result")

_ONE = ThreadPoolExecutor(1, "decoder")  # whoever waits for it keeps no other thread from its work


async def in_turn(work: Callable[[], Result]) -> Result:
    """Run ``work``, which decodes a picture, in the decoder's thread."""
    return await asyncio.get_running_loop().run_in_executor(_ONE, work)


async def small(read: Callable[[], bytes], enough_px: int) -> bytes:
    """A picture, or of a large one a smaller copy whose longer side is not under ``enough_px``.

    ``read`` is called when it is this picture's turn, so that few files are in memory. Raises what it raises, and
    PictureError.
    """
    return await in_turn(lambda: shrunk(read(), enough_px))
