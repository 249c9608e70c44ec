"""Any process may be killed at any moment: nothing that people sent is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import psutil
import pytest

from bot.playground import Person, Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.visitor import (
    PATIENCE,
    arrive,
    captions_in_order,
    collect,
    picture,
)

ALARMING = ("sorry", "wrong", "could not", "error", "again")


async def until(happened: Callable[[], bool]) -> None:
    """Look often until something has happened."""
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.02)


def rows(bot: BotProcess, query: str) -> list[tuple[object, ...]]:
    """What the bot's database says, read beside it."""
    with closing(sqlite3.connect(f"file:{bot.storage / 'bot.sqlite'}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def calls(playground: Playground, method: str) -> int:
    return sum(call.method == method.lower() for call in playground.calls)


async def test_collecting(bot: BotProcess, ada: Person, playground: Playground) -> None:
    """24 pictures are sent quickly and the bot is killed in the middle: all are there, once, in order."""
    await arrive(ada)
    for number in range(24):
        await ada.send_picture(picture(number), as_="document", caption=f"ball number {number}")
    await until(lambda: calls(playground, "getFile") >= 8)
    await bot.kill()
    assert 0 < len(rows(bot, "SELECT * FROM sample")) < 24, "the kill came too late to prove anything"
    await bot.start()
    await ada.wait_for("24 in all", PATIENCE)
    assert await captions_in_order(ada) == [f"zuvix ball number {number}" for number in range(24)]


async def test_pictures_sent_while_the_bot_is_down(bot: BotProcess, ada: Person) -> None:
    """What comes between a kill and the next start is worked off in order, before what comes then."""
    await arrive(ada)
    await bot.kill()
    await collect_unheard(ada, 6)
    await bot.start()
    await ada.send("/samples")
    await ada.wait_for(lambda message: message.kind == "photo" and "6 pictures" in message.text, PATIENCE)


async def collect_unheard(ada: Person, count: int) -> None:
    for number in range(count):
        await ada.send_picture(picture(number), as_="document", caption=f"ball number {number}")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As everywhere, but a training lasts long enough to be killed in its middle."""
    return settings | {"train": {"steps": 400, "checkpoint_steps": 20}}


class Steps:
    """The steps that a training's message has shown, in order."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def __call__(self, event: dict[str, dict[str, str]]) -> None:
        if found := re.search(r"Step (\d+) of", event.get("message", {}).get("text", "")):
            self.shown.append(int(found[1]))


@asynccontextmanager
async def training(bot: BotProcess, playground: Playground) -> AsyncIterator[tuple[Person, Steps]]:
    """A person whose training has a checkpoint and is far from its end."""
    steps = Steps()
    async with Person.join(playground.address, "Ada", watch=steps) as ada:
        await arrive(ada)
        await collect(ada)
        await ada.send("/train")
        await until(lambda: bool(rows(bot, "SELECT * FROM checkpoint WHERE step >= 40")))
        yield ada, steps


@pytest.mark.parametrize("who", ["worker", "bot"])
async def test_training(playground: Playground, bot: BotProcess, who: str) -> None:
    """Worker or bot killed: the training goes on from its checkpoint to its end, and nobody is alarmed."""
    async with training(bot, playground) as (ada, steps):
        worker = await bot.worker()
        await ada.read()
        heard = len(steps.shown)
        if who == "worker":
            worker.kill()
        else:
            await bot.kill()
            await until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
            await bot.start()
        ((checkpoint,),) = rows(bot, "SELECT max(step) FROM checkpoint")
        await ada.wait_for("is ready!", PATIENCE)
        assert rows(bot, "SELECT state, attempt FROM job") == [("done", 2)]
        after = [step for step in steps.shown[heard:] if step]
        assert after, "the training went on unseen"
        assert min(after) >= int(str(checkpoint)), "it began anew"
        told = " ".join(message.text for message in ada.messages if message.from_bot).casefold()
        assert not [word for word in ALARMING if word in told]
