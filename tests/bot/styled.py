"""A bot with an open style, and what it has kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.playground import Person, Picture
from bot.tables import samples
from bot.tables.samples import Sample
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import picture


@asynccontextmanager
async def styled(stage: Stage, ada: Person, **tables: Any) -> AsyncIterator[Running]:
    """A bot, and Ada in her style zuvix."""
    async with stage.bot(**tables) as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        yield running


async def kept(running: Running) -> list[Sample]:
    return await samples.of_style(running.parts.store, 1)


async def captions(running: Running) -> list[str | None]:
    return [sample.caption for sample in await kept(running)]


def item(seed: int, caption: str = "", size: int = 128) -> Picture:
    return Picture(data=picture(size, size, seed), caption=caption, as_="document")
