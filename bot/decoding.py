"""Decodes the pictures that people have sent: one at a time, large ones in a process of their own."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bot.telling import telling
from lora.data.pictures import PictureError
from lora.data.shrink import open_apart

Result = TypeVar("Result")
log = logging.getLogger(__name__)

_ONE = ThreadPoolExecutor(1, "decoder")  # whoever waits for it keeps no other thread from its work


async def in_turn(work: Callable[[], Result]) -> Result:
    """Run ``work``, which decodes a picture, in the decoder's thread."""
    return await asyncio.get_running_loop().run_in_executor(_ONE, work)


async def small(read: Callable[[], bytes], enough_px: int) -> bytes:
    """A stored picture as a PNG, its longer side not far over ``enough_px``; empty if the file is lost or damaged.

    ``read`` is called when it is this picture's turn, so that few files are in memory. Raises what else it raises.
    """

    def shown() -> bytes:
        out = io.BytesIO()
        open_apart(read(), enough_px).save(out, "PNG", compress_level=1)
        return out.getvalue()

    return await in_turn(shown_or_lost(shown)) or b""


def shown_or_lost(look: Callable[[], Result]) -> Callable[[], Result | None]:
    """``look``, which reads and decodes a stored picture, but None and a line for the admins if that is lost."""

    def tried() -> Result | None:
        try:
            return look()
        except (FileNotFoundError, PictureError) as error:
            text = "a stored picture cannot be read any more: %s"
            log.error(text, getattr(error, "strerror", None) or error, extra=telling("admin-file-lost"))
            return None

    return tried
