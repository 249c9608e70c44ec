"""Any process may be killed at any moment: nothing that people sent is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
import pytest

from bot.playground import Fault, Person, Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.observing import rows, until
from tests.journeys.visitor import PATIENCE, arrive, captions_in_order, collect, picture
from tests.patient_person import PatientPerson

ALARMING = ("sorry", "wrong", "could not", "error", "again")


async def test_collecting(bot: BotProcess, ada: Person, playground: Playground) -> None:
    """24 pictures are sent quickly and the bot is killed in the middle: all are there, once, in order."""
    await arrive(ada)
    unanswered = playground.faults.add(Fault(method="getFile", skip=8, slow_seconds=60.0))
    sending = asyncio.create_task(send_quickly(ada, 24))
    await until(lambda: unanswered.done > 0)
    await bot.kill()
    assert rows(bot, "SELECT count(*) FROM sample") == [(8,)]
    await sending
    await bot.start()
    await ada.wait_for("24 in all", PATIENCE)
    assert await captions_in_order(ada) == [f"zuvix ball number {number}" for number in range(24)]


async def test_pictures_sent_while_the_bot_is_down(bot: BotProcess, ada: Person) -> None:
    """What comes between a kill and the next start is worked off in order, before what comes then."""
    await arrive(ada)
    await bot.kill()
    await send_quickly(ada, 6)
    await bot.start()
    await ada.send("/samples")
    await ada.wait_for(lambda message: message.kind == "photo" and "6 pictures" in message.text, PATIENCE)


async def send_quickly(ada: Person, count: int) -> None:
    """So many pictures with captions, without waiting for answers."""
    for number in range(count):
        await ada.send_picture(picture(number), as_="document", caption=f"ball number {number}")


RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -e .[cluster]"
)


@pytest.fixture(params=["local", pytest.param("ray", marks=[RAY, pytest.mark.slow])])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """As everywhere, but a training lasts long enough to be killed in its middle. On each engine."""
    engine = settings["engine"] | {"silent_seconds": 3}
    if request.param == "ray":  # one worker, whatever the machine has
        engine |= {"name": "ray", "worker_cpus": os.cpu_count() or 1, "silent_seconds": 10}
    return settings | {"train": {"steps": 400, "checkpoint_steps": 150}, "engine": engine}


@asynccontextmanager
async def training(bot: BotProcess, playground: Playground) -> AsyncIterator[Person]:
    """A person whose training has checkpoints and is far from its end."""
    async with PatientPerson.join(playground.address, "Ada") as ada:
        await arrive(ada)
        await collect(ada)
        await ada.send("/train")
        await until(lambda: bool(rows(bot, "SELECT * FROM checkpoint")))
        yield ada


@asynccontextmanager
async def newest_checkpoints(bot: BotProcess) -> AsyncIterator[list[int]]:
    """The steps at which a training was saved last, in the order seen while the block runs."""
    steps: list[int] = []

    async def look() -> None:
        while True:
            steps.extend(int(str(step)) for (step,) in rows(bot, "SELECT step FROM job"))
            await asyncio.sleep(0.03)

    looking = asyncio.create_task(look())
    try:
        yield steps
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


@pytest.mark.parametrize("who", ["worker", "bot", "stopped worker"])
async def test_training(playground: Playground, bot: BotProcess, who: str) -> None:
    """Worker or bot killed, or the worker stopped: the training goes on from its checkpoint, and nobody is alarmed."""
    async with training(bot, playground) as ada, newest_checkpoints(bot) as steps:
        worker = await bot.worker()
        if who == "worker":
            worker.kill()
        elif who == "stopped worker":
            worker.suspend()
        else:
            await bot.kill()
            await until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
            await bot.start()
        await ada.wait_for("is ready!", PATIENCE)
        assert rows(bot, "SELECT state, attempt FROM job") == [("done", 2)]
        assert steps == sorted(steps), "it began anew"
        assert steps[0] < steps[-1], "the kill came too late to prove anything"
        told = " ".join(message.text for message in ada.messages if message.from_bot).casefold()
        assert not [word for word in ALARMING if word in told]
