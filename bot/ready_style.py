"""The ready-made style that ships with the bot: whoever has no style of their own draws in it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from bot.blobs import Blobs
from bot.config import Base
from bot.store import Store

log = logging.getLogger(__name__)

FILE = Path(__file__).parents[1] / "lora" / "bundled" / "ready-style.safetensors"
BASE = Base.name  # the base that it is made for: the default of the settings
MAX_BYTES = 2 << 20


@dataclass(frozen=True, kw_only=True)
class ReadyStyle:
    """Its keyword, the hash of its base, and the blob of its adapter."""

    keyword: str
    base: str
    adapter: str

    def fits(self, base: str | None, name: str) -> bool:
        """Whether the worker's base (a hash, None = not known yet; then the name in the settings) is the one of it."""
        return base == self.base or (base is None and name == BASE)


async def load(store: Store, blobs: Blobs, file: Path = FILE) -> ReadyStyle | None:
    """Store the bundled adapter as a blob that a row keeps. None, with a line in the log, if there is none to use."""
    try:
        data = file.read_bytes()  # noqa: ASYNC240 - two megabytes at most, once
        keyword, base = _about(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("there is no ready-made style: %s", type(error).__name__)
        return None
    async with blobs.keep(data) as (name,), store.transaction():
        await store.change("DELETE FROM ready_style")
        await store.change("INSERT INTO ready_style VALUES (?, ?)", keyword, name)
    return ReadyStyle(keyword=keyword, base=base, adapter=name)


def _about(data: bytes) -> tuple[str, str]:
    """(keyword, hash of the base) from the file's header."""
    size = int.from_bytes(data[:8], "little")
    if len(data) > MAX_BYTES or size > len(data):
        raise ValueError("too large")
    about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["stickersmith"])
    return str(about["keyword"]), str(about["base_hash"])
