"""Jobs and the worker: restarts, lost workers, and jobs that kill workers."""

from __future__ import annotations

import asyncio

from bot.config import Limits
from bot.playground import Person
from lora.jobs import Finished, SavedCheckpoint, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine, held
from tests.bot.trainings import CHECKPOINT, ready_to_train
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


async def test_a_training_goes_on_at_its_checkpoint_after_a_restart(stage: Stage, ada: Person) -> None:
    """The bot is ended between two checkpoints; the next one hands the stored state to its worker."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
    async with stage.bot() as running:
        await ada.wait_for("Your style zuvix is ready")
        (job,) = running.engine.jobs
        assert isinstance(job, Train)
        assert job.resume == b"2"
        assert job.attempt == 2
        assert len(job.samples) == 5
        assert len([m for m in ada.messages if "learned zuvix" in m.text]) == 1


async def test_a_dead_worker_costs_only_the_steps_since_the_checkpoint(stage: Stage, ada: Person) -> None:
    """The job is queued again and resumed from its checkpoint; the person sees one training."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
        engine.hold_after_checkpoint = False
        await engine.die()
        await ada.wait_for("Your style zuvix is ready")
        assert [job.resume for job in engine.jobs if isinstance(job, Train)] == [None, b"2"]


async def test_a_job_that_kills_its_worker_fails_alone(stage: Stage, ada: Person) -> None:
    """It fails after ``limits.attempts`` tries; the training beside it is done."""
    engine = held()
    async with ready_to_train(stage, ada, engine, limits=Limits(attempts=3)):
        await ada.send("/train")
        await until(lambda: len(engine.jobs) == 1)
        since = ada.seq
        await ada.send("/sticker a bomb")
        for number in range(3):
            await until(lambda number=number: len([j for j in engine.jobs if j.id == 2]) == number + 1)  # type: ignore[misc]
            await engine.die()
        assert [job.id for job in engine.jobs] == [1, 2, 2, 2]
        await ada.wait_for("Something went wrong on my side", since=since)
        engine.go.set()
        await ada.wait_for("Your style zuvix is ready", since=since)


async def test_draws_beside_one_that_kills_the_worker_are_done(stage: Stage, ada: Person) -> None:
    """Draws that were lost together are tried again one by one."""
    engine = held()
    async with (
        stage.bot(engine, limits=Limits(attempts=3)),
        PatientPerson.join(stage.playground.address, "Ben") as ben,
        PatientPerson.join(stage.playground.address, "Cy") as cy,
    ):
        for number, person in enumerate((ada, ben, cy), start=1):
            await person.send("/sticker a cat")
            await until(lambda number=number: len(engine.jobs) == number)  # type: ignore[misc]
        await engine.die()
        await until(lambda: len(engine.jobs) == 4)
        await asyncio.sleep(0.2)
        assert len(engine.jobs) == 4
        await engine.die()
        await until(lambda: len(engine.jobs) == 5)
        await engine.die()  # the first has failed now
        engine.go.set()
        for person, drawn in ((ben, 1), (cy, 1), (ada, 0)):
            if drawn:
                await person.wait_for("a cat · CFG 5 · seed")
            assert len([m for m in person.messages if m.kind == "sticker"]) == drawn


async def test_a_draw_that_ends_without_a_picture_is_a_failure(stage: Stage, ada: Person) -> None:
    """The person reads that something went wrong, not that the drawing is done."""
    engine = held()
    async with stage.bot(engine):
        await ada.send("/sticker a fox")
        await until(lambda: engine.jobs)
        engine.say(Finished(job=1, attempt=1))
        await ada.wait_for("Something went wrong")


async def test_a_training_that_goes_on_hands_its_checkpoints_back(stage: Stage, ada: Person) -> None:
    """The next attempt gets all earlier checkpoints, so that the comparison has them all."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
    async with stage.bot() as running:
        await ada.wait_for("Your style zuvix is ready")
        (job,) = running.engine.jobs
        assert isinstance(job, Train)
        assert job.earlier == (SavedCheckpoint(step=2, adapter=b"adapter of zuvix at 2"),)
