"""A bot with a person who can train, and what a training and a draw in its style give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.playground import Message, Person
from lora.jobs import Draw
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine, picture

CHECKPOINT = "SELECT count(*) FROM checkpoint"  # stored, so that it outlives the worker and the bot


@asynccontextmanager
async def ready_to_train(
    stage: Stage, ada: Person, engine: FakeEngine | None = None, count: int = 5, **tables: object
) -> AsyncIterator[Running]:
    """A bot, and Ada with enough captioned pictures in her style zuvix."""
    async with stage.bot(engine, **tables) as running:
        await fill(ada, [(picture(128, 128, number), f"fox {number}") for number in range(count)])
        yield running


async def fill(ada: Person, pictures: list[tuple[bytes, str]]) -> None:
    """Open the style zuvix and send these pictures with their captions."""
    await ada.send("/new zuvix")
    await ada.wait_for("zuvix is open")
    for sample, caption in pictures:
        await ada.send_picture(sample, as_="document", caption=caption)
    await ada.wait_for(f"{len(pictures)} in all")


async def trained(ada: Person) -> Message:
    """Train and give the message that says it is done."""
    await ada.send("/train")
    return await ada.wait_for("Your style zuvix is ready")


async def drawn_with(ada: Person, running: Running) -> bytes | None:
    """The adapter that /sticker draws with now."""
    await ada.send("/sticker a fox")
    await ada.wait_for("a fox · CFG 5 · seed")
    job = running.engine.jobs[-1]
    assert isinstance(job, Draw)
    return job.adapter
