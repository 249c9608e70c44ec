"""A job in chat: its message, its place in the line, its stickers and its end."""

from __future__ import annotations

import pytest

from bot.playground import Fault, Person
from bot.tables import drawings
from lora.jobs import JOB_ERRORS, Draw, Failed, Progress, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held, picture
from tests.bot.trainings import ready_to_train
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


async def test_a_training_is_one_message_and_its_end_another(stage: Stage, ada: Person) -> None:
    """The message is edited with a bar, steps and time left; the end is a new message, so the app notifies."""
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


@pytest.mark.parametrize("fails", [False, True])
async def test_a_style_that_is_renamed_meanwhile(stage: Stage, ada: Person, fails: bool) -> None:
    """Its training's messages have the new name, at work, at the end and in /status; the adapter learns the old one."""
    engine = held()
    async with ready_to_train(stage, ada, engine) as running:
        since = ada.seq
        await ada.send("/train")
        await until(lambda: engine.jobs)
        await ada.send("/rename bomux")
        await ada.wait_for("zuvix is called bomux now")
        await ada.wait_for("Learning bomux from 5 pictures", since=since)
        await ada.send("/status")
        await ada.wait_for(lambda m: "Style bomux" in m.text and "Learning bomux" in m.text)
        if fails:
            engine.say(Failed(job=1, attempt=1, code="not-a-number"))
            await ada.wait_for("could not learn bomux")
            return
        engine.go.set()
        await ada.wait_for("Your style bomux is ready", since=since)
        assert "✓ I have learned bomux." in [message.text for message in ada.heard(since)]
        assert await running.parts.store.value("SELECT keyword FROM job") == "zuvix"


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
        await ben.wait_for("You are next, about 12 minutes.")
        await ben.send("/sticker a cat")
        await until(lambda: any(isinstance(job, Draw) for job in engine.jobs))
        assert sum(isinstance(job, Train) for job in engine.jobs) == 1
        engine.go.set()
        await ben.wait_for("Your style bomux is ready")


async def test_somebody_alone_reads_of_no_line(stage: Stage, ada: Person) -> None:
    """What they wait for is what they have asked before."""
    engine = held()
    async with stage.bot(engine):
        await ada.send("/sticker a fox")
        await ada.wait_for("Starting")
        for prompt in ("a cat", "a dog"):
            await ada.send(f"/sticker {prompt}")
            await ada.wait_for("I begin when I am done with what you asked for before")
        engine.go.set()
        await ada.wait_for("a dog · CFG 5 · seed")
        engine.go.clear()
        await ada.send("/sticker a cow")
        assert "before" not in (await ada.wait_for("Drawing a cow")).text
        assert not any("in line" in message.text for message in ada.messages)


@pytest.mark.parametrize("code", JOB_ERRORS)
async def test_every_failure_of_a_job_is_told(stage: Stage, ada: Person, code: str) -> None:
    """The message says what to do, and the next job is done."""
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


async def test_stickers_drawn_before_a_kill_are_delivered_after_it(stage: Stage, ada: Person) -> None:
    """Stored drawings are sent after the next start, when Telegram answers again."""
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
    """Nothing is sent while the bot is blocked, and everything is sent afterwards."""
    engine = held()
    async with stage.bot(engine) as running:
        await ada.send("/sticker a fox --seed 1")
        await until(lambda: engine.jobs)
        await ada.block()
        engine.go.set()
        await until(lambda: running.parts.store.value("SELECT blocked FROM person"))
        await ada.send("/start")
        await ada.wait_for("a fox · CFG 5 · seed 1")


async def test_comparing_is_told(stage: Stage, ada: Person) -> None:
    """After the last step the message says what goes on."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/train")
        await until(lambda: engine.jobs)
        engine.say(Progress(job=1, attempt=1, step=4, steps=4, seconds_left=0))
        await ada.wait_for("Comparing what I have learned")
