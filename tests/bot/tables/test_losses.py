"""Which job killed the worker: suspects are tried alone, no neighbour fails, and none starves."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from bot.config import Limits
from bot.next_job import next_job
from bot.playground import Person
from bot.store import Store
from bot.tables import jobs, losses, people, samples, styles, trainings
from bot.tables.jobs import JobKind, JobState
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

    async def submit(self, job: Job) -> None:
        training = any(isinstance(other, Train) and other.id in self.running for other in self.jobs)
        if isinstance(job, Train):
            self.go.clear()
            self.beside.clear()
            self._dying = asyncio.create_task(self._die_of_it())
        await super().submit(job)
        if training:
            self.beside.set()

    async def _die_of_it(self) -> None:
        """After a draw has come, or if none comes for a while."""
        await asyncio.sleep(0.1)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.beside.wait(), 1)
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
async def line(store: Store) -> Store:
    """A database with a style that can be trained."""
    await people.see(store, id=ADA, name="x", language="en")
    await styles.add(store, ADA, "zuvix")
    await samples.add(
        store, style=1, file_unique_id="1", blob="b", kind="file", message_id=1, sent_at=0, draft=None
    )
    return store


async def ask_draw(store: Store, origin: str) -> None:
    await jobs.ask_draw(
        store,
        person=ADA,
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


async def hand_over(store: Store) -> jobs.Job:
    """Claim what is next, as the dispatcher does."""
    waiting = await next_job(store, attempts=3)
    assert waiting is not None
    job = await jobs.claim(store, waiting.kind, only=waiting.id)
    assert job is not None
    return job


async def lose(store: Store, *lost: jobs.Job) -> None:
    await losses.lose(store, [(job.id, job.attempt) for job in lost], attempts=3)


async def test_a_lost_draw_is_not_overtaken(line: Store) -> None:
    """200 younger ones wait until it has been drawn alone."""
    await ask_draw(line, "old")
    await ask_draw(line, "beside")
    await lose(line, await hand_over(line), await hand_over(line))
    for number in range(200):
        await ask_draw(line, str(number))
    for id in (1, 2):
        again = await hand_over(line)
        assert again.id == id
        assert await next_job(line, attempts=3) is None, "it is not alone"
        await jobs.end(line, again.id, again.attempt, JobState.DONE)
    assert [(await hand_over(line)).id for _ in range(4)] == [3, 4, 5, 6]


async def test_a_training_is_tried_alone_before_it_fails(line: Store) -> None:
    """After two losses it waits for the draws before it, holds up those after it, and a checkpoint clears it."""
    await ask_train(line, "t")
    for number in range(2):
        await ask_draw(line, f"beside {number}")
        draw, train = await hand_over(line), await hand_over(line)
        assert (draw.kind, train.kind) == (JobKind.DRAW, JobKind.TRAIN)
        await lose(line, draw, train)
        alone = await hand_over(line)
        assert alone.id == draw.id
        assert await next_job(line, attempts=3) is None
        await jobs.end(line, alone.id, alone.attempt, JobState.DONE)
    await ask_draw(line, "younger")
    train = await hand_over(line)
    assert train.kind == JobKind.TRAIN
    assert await next_job(line, attempts=3) is None
    await trainings.add_checkpoint(line, train, step=100, adapter="a", state="s")
    assert (await hand_over(line)).origin == "younger"


async def test_a_checkpoint_that_is_sent_again_clears_nobody(line: Store) -> None:
    """A training that dies behind its last checkpoint, as in the comparison, sends that one at each resume."""
    await ask_train(line, "t")
    for _ in range(3):
        train = await hand_over(line)
        await trainings.add_checkpoint(line, train, step=300, adapter="a", state="s")
        await lose(line, train)
    now = await jobs.get(line, 1)
    assert now is not None
    assert (now.state, now.error) == (JobState.FAILED, "internal")


async def test_a_hand_over_that_kills_the_bot_is_counted(line: Store) -> None:
    """At the third start the job fails, and the next one is taken; an orderly end counts nothing."""
    await ask_train(line, "t")
    await ask_draw(line, "d")
    for _ in range(5):  # ended in order while it was handed over
        await hand_over(line)
        await jobs.requeue_all(line)
    for number in range(3):
        await losses.count_hand_over(line, attempts=3)
        await jobs.requeue_all(line)
        assert (await hand_over(line)).id == 2, number
    await losses.count_hand_over(line, attempts=3)
    await jobs.requeue_all(line)
    failed = await jobs.get(line, 2)
    assert failed is not None
    assert failed.state == JobState.FAILED
    train = await hand_over(line)
    assert (train.id, train.losses) == (1, 0)
    await jobs.handed_over(line, train.id, train.attempt)
    await losses.count_hand_over(line, attempts=3)  # it runs: a death of the bot is not its fault
    await jobs.requeue_all(line)
    assert (await hand_over(line)).losses == 0
