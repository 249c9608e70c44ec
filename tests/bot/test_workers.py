"""The dispatcher with several workers: they come, go and come back, and people notice nothing but the speed."""

from __future__ import annotations

import asyncio
import random

import pytest

from bot.config import Access, Limits
from bot.playground import Person
from lora.jobs import Job, LeftOut, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async


class Slow(FakeEngine):
    """While ``open`` is not set, the hand-over of a training to its worker does not come to an end."""

    def __init__(self) -> None:
        super().__init__(workers=2)
        self.open = asyncio.Event()

    async def submit(self, job: Job, worker: str) -> None:
        if isinstance(job, Train):
            await self.open.wait()
        await super().submit(job, worker)


async def test_workers_come_and_go(stage: Stage, ada: Person) -> None:
    """One to four workers, lost and back at random moments: every drawing comes once, and the training ends."""
    engine, dice = FakeEngine(workers=2), random.Random(7)
    limits = Limits(jobs_per_person=40, attempts=30)
    async with ready_to_train(stage, ada, engine, limits=limits) as running:
        engine.go.clear()
        used: set[str] = set()
        await ada.send("/train")
        for seed in range(1, 13):
            await ada.send(f"/sticker cat {seed} --seed {seed}")
        for _ in range(12):
            await until_async(lambda: bool(engine.running) or not engine.workers)
            used |= set(engine.where.values())
            absent = [worker for worker in "1234" if worker not in engine.workers]
            if absent and (not engine.workers or dice.random() < 0.5):
                engine.come(dice.choice(absent))
            else:
                engine.go_away(dice.choice(engine.workers))
            await asyncio.sleep(0.05)
        if not engine.workers:
            engine.come("1")
        engine.go.set()
        for seed in range(1, 13):
            await ada.wait_for(f"cat {seed} · CFG 5 · seed {seed}", since=0)
        await ada.wait_for("is ready!", since=0)
        store = running.parts.store
        assert {row["state"] for row in await store.rows("SELECT state FROM job")} == {"done"}
        assert await store.value("SELECT count(*) FROM drawing") == 12
        assert len(used) > 1


async def test_a_large_job_on_its_way_keeps_no_other_worker_waiting(stage: Stage, ada: Person) -> None:
    """A training whose pictures take long to send: stickers are drawn by the other worker meanwhile."""
    engine = Slow()
    async with ready_to_train(stage, ada, engine, limits=Limits(jobs_per_person=9)):
        await ada.send("/train")
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("a fox · CFG 5 · seed 1", since=0)
        engine.open.set()
        await ada.wait_for("is ready!", since=0)


async def test_a_worker_that_is_gone_before_it_is_told(stage: Stage, ada: Person) -> None:
    """The engine knows it first: the job goes to another worker, and no loss is counted against it."""
    engine = FakeEngine(workers=2)
    async with ready_to_train(stage, ada, engine) as running:
        engine.workers.remove("1")
        for seed in (1, 2):
            await ada.send(f"/sticker a fox --seed {seed}")
            await ada.wait_for(f"a fox · CFG 5 · seed {seed}", since=0)
        losses = await running.parts.store.rows("SELECT losses + shared_losses FROM job")
        assert [row[0] for row in losses] == [0, 0]
        assert set(engine.where.values()) == {"2"}


async def test_a_worker_with_another_base_gets_nothing(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Adapters do not fit it. The operator reads so."""
    engine = FakeEngine()
    async with ready_to_train(stage, ada, engine):
        engine.base_hash = "f" * 64
        engine.come("2")
        engine.go.clear()
        for seed in range(1, 4):
            await ada.send(f"/sticker a fox --seed {seed}")
        await until_async(lambda: bool(engine.running))
        engine.go.set()
        for seed in range(1, 4):
            await ada.wait_for(f"a fox · CFG 5 · seed {seed}", since=0)
        assert set(engine.where.values()) == {"1"}
    assert "another base" in caplog.text


async def test_a_worker_that_is_left_out_is_told_to_the_admins(stage: Stage, ada: Person) -> None:
    """With its name and its device: they have to look at it."""
    engine = FakeEngine()
    async with stage.bot(engine, access=Access(admins=(ada.id,))):
        await ada.send("/start")
        await ada.wait_for("/new")
        engine.say(LeftOut(worker="2", device="cuda:1", deaths=3))
        await ada.wait_for("Worker 2 (cuda:1) died 3 times")
