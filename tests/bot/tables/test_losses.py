"""Which job killed the worker: suspects are tried alone, no neighbour fails, and none starves."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot.config import Limits
from bot.next_job import NextJob
from bot.playground import Person
from bot.store import Store
from bot.tables import jobs, line, losses, people, samples, styles, trainings
from bot.tables.jobs import JobState
from lora.jobs import DrawOptions, Job, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.trainings import ready_to_train

ADA = 1


class Deadly(FakeEngine):
    """Its worker dies of every training. Draws that are beside one are in hand until then."""

    def __init__(self) -> None:
        super().__init__()
        self.deaths: list[list[int]] = []  # the jobs that each death has cost
        self.beside: asyncio.Event = asyncio.Event()
        self._dying: asyncio.Task[None] | None = None

    async def submit(self, job: Job, worker: str) -> None:
        training = any(isinstance(other, Train) and other.id in self.running for other in self.jobs)
        if isinstance(job, Train):
            self.go.clear()
            self.beside.clear()
            self._dying = asyncio.create_task(self._die_of_it(job))
        await super().submit(job, worker)
        if training:
            self.beside.set()

    async def _die_of_it(self, job: Train) -> None:
        """When a draw has come. In a later attempt the training may be alone: then it waits a moment only."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.beside.wait(), None if job.attempt == 1 else 0.3)
        self.deaths.append([id for id, task in self.running.items() if not task.done()])
        self.go.set()
        await self.die()


async def test_a_training_that_kills_is_found_while_draws_are_in_hand(stage: Stage, ada: Person) -> None:
    """It fails, after as many deaths as are allowed; no draw does, although there was one beside it each time."""
    engine = Deadly()
    async with ready_to_train(stage, ada, engine, limits=Limits(attempts=3, jobs_per_person=9)) as running:
        await ada.send("/train")
        for number in range(4):
            await ada.send(f"/sticker cat {number} --seed {number}")
        for number in range(4):
            await ada.wait_for(f"cat {number} · CFG 5 · seed {number}", since=0)
        await ada.wait_for("could not learn", since=0)
        states = await running.parts.store.rows(
            "SELECT kind, state, losses, shared_losses FROM job ORDER BY id"
        )
        assert [row["state"] for row in states] == ["failed"] + ["done"] * 4
        assert len(engine.deaths) == 3
        assert any(len(lost) > 1 for lost in engine.deaths), "no draw was beside it"
        assert len(engine.deaths[-1]) == 1, "it was failed for a loss that it did not have alone"


@pytest.fixture
async def rows(store: Store) -> Store:
    """A database with a style that can be trained."""
    await people.see(store, id=ADA, name="x", language="en")
    await styles.add(store, ADA, "zuvix")
    await samples.add(
        store, style=1, file_unique_id="1", blob="b", kind="file", message_id=1, sent_at=0, draft=None
    )
    return store


async def ask_draw(store: Store, origin: str, person: int = ADA) -> None:
    await people.see(store, id=person, name="x", language="en")
    await jobs.ask_draw(
        store,
        person=person,
        origin=origin,
        style=None,
        adapter=None,
        keyword="",
        prompt="a fox",
        options=DrawOptions(),
        note=None,
    )


async def ask_train(store: Store, origin: str) -> None:
    await jobs.ask_train(store, person=ADA, origin=origin, style=1, keyword="zuvix", steps=None, seed=0)


class Feeder:
    """Does with rows and ``NextJob`` what the dispatcher does, for one worker."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.restart()

    def restart(self) -> None:
        """The bot and its worker begin anew."""
        self.next, self.newest = NextJob(attempts=3), 0
        self.next.join("1")

    async def hand_over(self) -> jobs.Job | None:
        """Claim what is next."""
        for row in await line.read(self.store, after=self.newest):
            self.newest = row.id
            self.next.wait(row)
        if (placed := self.next.choose()) is None:
            return None
        placed.worker.receiving = False
        return await jobs.claim(self.store, placed.job.kind, only=placed.job.id)

    async def take(self, id: int) -> jobs.Job:
        """Claim what is next, which is this job."""
        job = await self.hand_over()
        assert job is not None
        assert job.id == id
        return job

    async def end(self, job: jobs.Job) -> None:
        await jobs.end(self.store, job.id, job.attempt, JobState.DONE)
        self.next.end(job.id)

    async def lose(self, *lost: jobs.Job) -> None:
        """The worker dies with these jobs and comes back."""
        self.next.leave("1")
        await losses.lose(self.store, [(job.id, job.attempt) for job in lost], attempts=3)
        for job in lost:
            if (row := await line.waiting(self.store, job.id)) is not None:
                self.next.wait(row, first=True)
        self.next.join("1")


@pytest.fixture
def feeder(rows: Store) -> Feeder:
    return Feeder(rows)


async def test_a_lost_draw_is_not_overtaken(rows: Store, feeder: Feeder) -> None:
    """200 younger ones wait until it has been drawn alone."""
    await ask_draw(rows, "old", 2)
    await ask_draw(rows, "beside", 3)
    await feeder.lose(await feeder.take(1), await feeder.take(2))
    for number in range(200):
        await ask_draw(rows, "younger", 10 + number)
    for id in (1, 2):
        again = await feeder.take(id)
        assert await feeder.hand_over() is None, "it is not alone"
        await feeder.end(again)
    for id in (3, 4, 5, 6):
        await feeder.take(id)
    assert await feeder.hand_over() is None


async def test_a_training_is_tried_alone_before_it_fails(rows: Store, feeder: Feeder) -> None:
    """After two losses it waits for the draws before it, holds up those after it, and a checkpoint clears it."""
    await ask_train(rows, "t")
    for number in (2, 3):
        await ask_draw(rows, "beside", number)
        draw, train = await feeder.take(number), await feeder.take(1)
        await feeder.lose(draw, train)
        alone = await feeder.take(draw.id)
        assert await feeder.hand_over() is None
        await feeder.end(alone)
    await ask_draw(rows, "younger", 4)
    train = await feeder.take(1)
    assert await feeder.hand_over() is None
    await trainings.add_checkpoint(rows, train, step=100, adapter="a", state="s")
    feeder.next.cleared(train.id)
    await feeder.take(4)


async def test_a_checkpoint_that_is_sent_again_clears_nobody(rows: Store, feeder: Feeder) -> None:
    """A training that dies behind its last checkpoint, as in the comparison, sends that one at each resume."""
    await ask_train(rows, "t")
    for _ in range(3):
        train = await feeder.take(1)
        await trainings.add_checkpoint(rows, train, step=300, adapter="a", state="s")
        await feeder.lose(train)
    now = await jobs.get(rows, 1)
    assert now is not None
    assert (now.state, now.error) == (JobState.FAILED, "internal")


async def test_a_hand_over_that_kills_the_bot_is_counted(rows: Store, feeder: Feeder) -> None:
    """At the third start the job fails, and the next one is taken; an orderly end counts nothing."""
    await ask_train(rows, "t")
    await ask_draw(rows, "d")
    for _ in range(5):  # ended in order while it was handed over
        await feeder.take(2)
        await jobs.requeue_all(rows)
        feeder.restart()
    for _ in range(3):
        await losses.count_hand_over(rows, attempts=3)
        await jobs.requeue_all(rows)
        feeder.restart()
        await feeder.take(2)
    await losses.count_hand_over(rows, attempts=3)
    await jobs.requeue_all(rows)
    feeder.restart()
    failed = await jobs.get(rows, 2)
    assert failed is not None
    assert failed.state == JobState.FAILED
    train = await feeder.take(1)
    assert train.losses == 0
    await jobs.handed_over(rows, train.id, train.attempt)
    await losses.count_hand_over(rows, attempts=3)  # it runs: a death of the bot is not its fault
    await jobs.requeue_all(rows)
    feeder.restart()
    assert (await feeder.take(1)).losses == 0
