"""A still picture of a sticker that moves: decoded by a process of its own, which may crash or hang."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE

from bot.errors import UserError

log = logging.getLogger(__name__)

SECONDS = 60.0  # for one sticker; it takes one on a busy machine
NOT_INSTALLED = 2  # exit codes: see lora/data/first_frame.py


async def still(data: bytes, moves: str) -> bytes:
    """The first picture of a "video" or "animated" sticker that shows something, as PNG. Raises UserError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lora.data.first_frame", moves), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(SECONDS):
            picture, _ = await process.communicate(data)
    except TimeoutError:
        raise UserError("sticker-no-still") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == NOT_INSTALLED:
        log.info(
            "an animated sticker was not taken: its decoder is not installed (pip install stickersmith[animated])"
        )
    if process.returncode or not picture:
        raise UserError("sticker-no-still")
    return picture
