"""Training and drawing in chat: places, progress, ends, cancelling, and restarts in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.config import Limits, Sticker
from bot.playground import Fault, Person
from bot.tables import drawings, jobs, styles
from lora.jobs import JOB_ERRORS, Draw, Failed, Finished, Progress, Train
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine, picture
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until

CHECKPOINT = "SELECT count(*) FROM checkpoint"  # stored, so that it outlives the worker and the bot


@asynccontextmanager
async def ready_to_train(
    stage: Stage, ada: Person, engine: FakeEngine | None = None, count: int = 5, **tables: object
) -> AsyncIterator[Running]:
    """A bot, and Ada with enough captioned pictures in her style zuvix."""
    async with stage.bot(engine, **tables) as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        for number in range(count):
            await ada.send_picture(picture(128, 128, number), as_="document", caption=f"fox {number}")
        await ada.wait_for(f"{count} in all")
        yield running


def held() -> FakeEngine:
    """An engine whose jobs wait until ``go`` is set."""
    engine = FakeEngine()
    engine.go.clear()
    return engine


async def test_too_few_pictures(stage: Stage, ada: Person) -> None:
    """Refused with the number there are, the number needed and the number advised."""
    async with ready_to_train(stage, ada, count=4):
        await ada.send("/train")
        told = await ada.wait_for("too few")
        assert "at least 5" in told.text
        assert "20–50" in told.text


async def test_pictures_without_words_are_named(stage: Stage, ada: Person) -> None:
    """By their numbers, with a way to go on without."""
    async with ready_to_train(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 77), as_="document")
        await ada.wait_for("6 in all")
        await ada.send("/train")
        told = await ada.wait_for("no words yet: 6")
        await ada.press(told, "train:bare")
        await ada.wait_for("is ready")
        (job,) = running.engine.jobs
        assert isinstance(job, Train)
        assert [sample.caption for sample in job.samples][4:] == ["zuvix fox 4", "zuvix"]


async def test_a_training_is_one_message_and_its_end_another(stage: Stage, ada: Person) -> None:
    """Edited with a bar, steps and time left; the end rings."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        since = ada.seq
        await ada.send("/train")
        told = await ada.wait_for("Learning zuvix from 5 pictures")
        assert "With 20–50 pictures" in told.text
        assert told.button("cancel:")
        await until(lambda: engine.jobs)
        engine.say(Progress(job=1, attempt=1, step=1, steps=4, seconds_left=350, loss=0.25))
        told = await ada.wait_for("Step 1 of 4 · about 6 minutes left · loss 0.250", since=since)
        assert "25%" in told.text
        engine.go.set()
        await ada.wait_for("Your style zuvix is ready", since=since)
        assert len(ada.heard(since)) == 2
        assert ada.heard(since)[0].text == "✓ I have learned zuvix."


async def test_people_in_line_read_their_place(stage: Stage, ada: Person) -> None:
    """One training at a time; draws go before it."""
    engine = held()
    async with ready_to_train(stage, ada, engine), PatientPerson.join(stage.playground.address, "Ben") as ben:
        await ada.send("/train")
        await ada.wait_for("Starting")
        engine.say(Progress(job=1, attempt=1, step=1, steps=4, seconds_left=300))
        await ada.wait_for("Step 1 of 4")
        await ben.send("/new bomux")
        await ben.wait_for("bomux is open")
        for number in range(5):
            await ben.send_picture(picture(128, 128, 50 + number), as_="document", caption=f"cat {number}")
        await ben.wait_for("5 in all")
        await ben.send("/train")
        await ben.wait_for("You are 2nd in line, about 12 minutes.")
        await ben.send("/sticker a cat")
        await until(lambda: any(isinstance(job, Draw) for job in engine.jobs))
        assert sum(isinstance(job, Train) for job in engine.jobs) == 1
        engine.go.set()
        await ben.wait_for("Your style bomux is ready")


async def test_a_style_is_trained_once_at_a_time(stage: Stage, ada: Person) -> None:
    """The second /train says so."""
    async with ready_to_train(stage, ada, held()):
        await ada.send("/train")
        await ada.wait_for("Learning zuvix from")
        await ada.send("/train")
        await ada.wait_for("learning zuvix already")


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
    """Lost, queued again, resumed; the person sees one training."""
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
    """After so many tries; the training beside it is not blamed."""
    engine = held()
    async with ready_to_train(stage, ada, engine, limits=Limits(attempts=3)):
        await ada.send("/train")
        await until(lambda: len(engine.jobs) == 1)
        since = ada.seq
        await ada.send("/sticker a bomb")
        for number in range(3):
            await until(lambda number=number: len([j for j in engine.jobs if j.id == 2]) == number + 1)
            await engine.die()
        assert [job.id for job in engine.jobs] == [1, 2, 2, 2]
        await ada.wait_for("Something went wrong on my side", since=since)
        engine.go.set()
        await ada.wait_for("Your style zuvix is ready", since=since)


async def test_innocent_draws_outlive_a_deadly_one(stage: Stage, ada: Person) -> None:
    """Draws that were lost together are tried again one by one."""
    engine = held()
    async with stage.bot(engine, limits=Limits(attempts=3)):
        for number in range(3):
            await ada.send(f"/sticker cat {number}")
        await until(lambda: len(engine.jobs) == 3)
        await engine.die()
        await until(lambda: len(engine.jobs) == 4)
        await asyncio.sleep(0.2)
        assert len(engine.jobs) == 4
        await engine.die()
        await until(lambda: len(engine.jobs) == 5)
        await engine.die()  # the first has failed now
        engine.go.set()
        await ada.wait_for("cat 2 · CFG 5 · seed")
        assert len([m for m in ada.messages if m.kind == "sticker"]) == 2


async def test_cancelling(stage: Stage, ada: Person) -> None:
    """One job ends at once; of several the person chooses; a button ends its own."""
    engine = held()
    async with stage.bot(engine) as running:
        await ada.send("/cancel")
        await ada.wait_for("Nothing is going on")
        await ada.send("/sticker a fox")
        await until(lambda: len(engine.jobs) == 1)
        await ada.send("/cancel")
        await ada.wait_for("Drawing a fox was cancelled")
        await ada.send("/sticker a dog")
        await ada.send("/sticker a cat")
        told = await ada.wait_for("Drawing a cat")
        await ada.send("/cancel")
        which = await ada.wait_for("Which one?")
        await ada.press(which, "a dog")
        await ada.wait_for("Drawing a dog was cancelled")
        await ada.press(told, "cancel:")
        await ada.wait_for("Drawing a cat was cancelled")
        assert await jobs.active(running.parts.store) == []
        engine.go.set()
        await ada.send("/sticker a bird --seed 3")
        await ada.wait_for("a bird · CFG 5 · seed 3")


async def test_a_cancelled_training_frees_its_worker(stage: Stage, ada: Person) -> None:
    """And what its worker still says about it is not heard."""
    engine = held()
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        told = await ada.wait_for("Learning zuvix from")
        await until(lambda: engine.jobs)
        await ada.press(told, "cancel:")
        await ada.wait_for("Learning zuvix was cancelled")
        engine.go.set()
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")
        found = await styles.all_of(running.parts.store, ada.id)
        assert found[0].adapter is not None


@pytest.mark.parametrize("code", JOB_ERRORS)
async def test_every_failure_of_a_job_is_told(stage: Stage, ada: Person, code: str) -> None:
    """In words about what to do, and the next job is served."""
    engine = held()
    async with stage.bot(engine):
        await ada.send("/sticker a fox")
        await until(lambda: engine.jobs)
        engine.say(Failed(job=1, attempt=1, code=code, detail="x"))
        told = await ada.wait_for(lambda m: "Drawing a fox" in m.text and not m.buttons)
        assert len(told.text.splitlines()) >= 2
        engine.go.set()
        await ada.send("/sticker a cat --seed 1")
        await ada.wait_for("a cat · CFG 5 · seed 1")


async def test_a_failed_training_can_be_asked_for_again(stage: Stage, ada: Person) -> None:
    """With one button; nothing that was sent is lost."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/train")
        await until(lambda: engine.jobs)
        engine.say(Failed(job=1, attempt=1, code="not-a-number"))
        told = await ada.wait_for("could not learn")
        engine.go.set()
        await ada.press(told, "train:again")
        await ada.wait_for("Your style zuvix is ready")


async def test_a_draw_that_ends_without_a_picture_is_a_failure(stage: Stage, ada: Person) -> None:
    """Nobody is told that nothing is done."""
    engine = held()
    async with stage.bot(engine):
        await ada.send("/sticker a fox")
        await until(lambda: engine.jobs)
        engine.say(Finished(job=1, attempt=1))
        await ada.wait_for("Something went wrong")


async def test_what_draws_is_named(stage: Stage, ada: Person) -> None:
    """Without a style, untrained, in the middle of the first training, trained."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("Drawn without a style: you have none yet. /new")
        await until(lambda: running.engine.jobs)
        assert running.engine.jobs[0].prompt == "a fox"
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/sticker a fox --seed 2")
        await ada.wait_for("Drawn without your style: it is not trained yet")
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
        await ada.send("/sticker a fox --seed 3")
        await ada.wait_for("learned of zuvix so far")
        await until(lambda: isinstance(engine.jobs[-1], Draw))
        drawn = engine.jobs[-1]
        assert isinstance(drawn, Draw)
        assert drawn.adapter == b"adapter of zuvix at 2"
        assert drawn.prompt == "zuvix a fox"


async def test_the_buttons_below_a_sticker(stage: Stage, ada: Person) -> None:
    """Again has another seed, CFG the same; the current CFG is marked."""
    async with stage.bot(sticker=Sticker(cfg=5)) as running:
        await ada.send("/sticker a fox --seed 10 --n 2")
        await ada.wait_for("seed 10–11")
        second = [m for m in ada.messages if m.kind == "sticker"][1]
        assert [b.label for b in second.buttons] == [
            "➕ Add to pack",
            "🔁 Again",
            "CFG 3",
            "• CFG 5 •",
            "CFG 8",
        ]
        await ada.press(second, "again:")
        await ada.wait_for(lambda m: m.kind == "sticker")
        await ada.press(second, "CFG 8")
        await ada.wait_for("a fox · CFG 8 · seed 11")
        _, again, other = running.engine.jobs
        assert isinstance(again, Draw)
        assert isinstance(other, Draw)
        assert (again.prompt, again.options.cfg, again.options.count) == ("a fox", 5.0, 1)
        assert again.options.seed not in (10, 11)
        assert (other.prompt, other.options.cfg, other.options.seed) == ("a fox", 8.0, 11)


async def test_a_prompt_that_is_too_long(stage: Stage, ada: Person) -> None:
    """Refused with the count."""
    async with stage.bot():
        await ada.send("/sticker " + "fox " * 200)
        await ada.wait_for("200 tokens, and there is room for 69")


async def test_one_person_cannot_fill_the_line(stage: Stage, ada: Person) -> None:
    """The fourth job waits in the person's head."""
    async with stage.bot(held()) as running:
        for number in range(4):
            await ada.send(f"/sticker fox {number}")
        await ada.wait_for("3 things going on already")
        assert len(await jobs.active(running.parts.store)) == 3


async def test_stickers_drawn_before_a_kill_are_delivered_after_it(stage: Stage, ada: Person) -> None:
    """Stored is enough; Telegram may be away meanwhile."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        fault = stage.playground.faults.add(Fault(method="sendSticker", error=(502, "Bad Gateway"), times=99))
        await ada.send("/sticker a fox --seed 1 --n 2")
        await until(lambda: fault.times < 99)
        await until(lambda: running.parts.store.value("SELECT count(*) = 2 FROM drawing WHERE job = 1"))
        assert len(await drawings.of_job(running.parts.store, 1)) == 2
    stage.playground.faults.clear()
    async with stage.bot():
        await ada.wait_for("seed 1–2")
        assert len([m for m in ada.messages if m.kind == "sticker"]) == 2


async def test_who_has_blocked_the_bot_gets_it_later(stage: Stage, ada: Person) -> None:
    """Nothing is tried in vain meanwhile, and nothing is lost."""
    engine = held()
    async with stage.bot(engine) as running:
        await ada.send("/sticker a fox --seed 1")
        await until(lambda: engine.jobs)
        await ada.block()
        engine.go.set()
        await until(lambda: running.parts.store.value("SELECT blocked FROM person"))
        await ada.send("/start")
        await ada.wait_for("a fox · CFG 5 · seed 1")


async def test_status_tells_what_is_going_on(stage: Stage, ada: Person) -> None:
    """Style, jobs with place and time, packs."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/status")
        told = await ada.wait_for("Style zuvix: 5 pictures, not trained yet")
        assert "Nothing is going on" in told.text
        await ada.send("/train")
        await ada.send("/status")
        await ada.wait_for(lambda m: "Style zuvix" in m.text and "Learning zuvix" in m.text)


async def test_deleting_a_style_ends_its_training(stage: Stage, ada: Person) -> None:
    """Its files go, its late checkpoints are not stored."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(engine.checkpointed.is_set)
        await ada.send("/delete")
        await ada.press(await ada.wait_for("cannot be undone"), "delete:")
        await ada.wait_for("Style zuvix is deleted")
        await ada.wait_for("Learning zuvix was cancelled", since=0)
        assert not [p for p in (stage.config.storage.dir / "blobs").glob("*/*") if p.is_file()]
        assert await styles.all_of(running.parts.store, ada.id) == []


async def test_the_seed_of_a_training_does_not_depend_on_others(stage: Stage, ada: Person) -> None:
    """A style of the same name gets the same seed, whatever number its row has."""
    async with stage.bot() as running:
        for _ in range(2):
            await ada.send("/new zuvix")
            await ada.wait_for("zuvix is open")
            for number in range(5):
                await ada.send_picture(picture(128, 128, number), as_="document", caption=f"fox {number}")
            await ada.wait_for("5 in all")
            await ada.send("/train")
            await ada.wait_for("Your style zuvix is ready")
            await ada.send("/delete")
            await ada.press(await ada.wait_for("cannot be undone"), "delete:")
            await ada.wait_for("Style zuvix is deleted")
        first, second = (job.settings.seed for job in running.engine.jobs if isinstance(job, Train))
        assert first == second
        assert first not in (0, 1, 2)
