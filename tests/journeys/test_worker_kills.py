"""A worker or the bot is killed during a training: the training goes on, and nobody is alarmed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
import pytest

from bot.playground import Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.observing import rows, until
from tests.journeys.visitor import PATIENCE, arrive, collect
from tests.patient_person import PatientPerson

ALARMING = ("sorry", "wrong", "could not", "error", "again")
RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -e .[cluster]"
)


@pytest.fixture(params=["local", pytest.param("ray", marks=[RAY, pytest.mark.slow])])
def settings(with_worker: Settings, request: pytest.FixtureRequest) -> Settings:
    """A training lasts long enough to be killed in its middle. On each engine."""
    engine = with_worker["engine"] | {"silent_seconds": 3}
    if request.param == "ray":  # one worker, whatever the machine has
        engine |= {"name": "ray", "worker_cpus": os.cpu_count() or 1, "silent_seconds": 10}
    return with_worker | {"train": {"steps": 100, "checkpoint_steps": 50}, "engine": engine}


@asynccontextmanager
async def training(bot: BotProcess, playground: Playground) -> AsyncIterator[PatientPerson]:
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


@pytest.mark.parametrize("who", ["worker", "bot", pytest.param("stopped worker", marks=pytest.mark.slow)])
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
