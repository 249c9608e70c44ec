"""Findings on samples: asked about before a training, and shown with it."""

from __future__ import annotations

from bot.playground import Person
from bot.tables import findings, styles
from lora.jobs import Finding, Findings, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.sample_pictures import GOOD, drawing
from tests.bot.trainings import fill
from tests.waiting import until_async


async def test_grave_faults_are_asked_about_once(stage: Stage, ada: Person) -> None:
    """One message with the reasons and a button; pressed, the training begins without another word."""
    async with stage.bot() as running:
        await fill(ada, [(drawing(n), "a fox waving") for n in range(5)])
        await ada.send("/train")
        told = await ada.wait_for("Before I learn zuvix")
        assert "The same words: 1 = 2 = 3 = 4 = 5" in told.text
        assert "Few pictures" not in told.text  # no more than advice, and said with the training anyway
        assert not running.engine.jobs
        since = ada.seq
        await ada.press(told, "Train anyway")
        await ada.wait_for("Your style zuvix is ready", since=since)
        assert sum("Before I learn" in message.text for message in ada.messages) == 1
        assert [type(job) for job in running.engine.jobs] == [Train]


async def test_what_the_worker_sees_is_told_and_kept(stage: Stage, ada: Person) -> None:
    """It stands in the training's message to the end, survives a restart, and follows the pictures' numbers."""
    engine = FakeEngine()
    engine.go.clear()
    found = (
        Finding(code="lettering", severity="advice", samples=(2, 4)),
        Finding(code="fine-detail", severity="advice", samples=(5,), detail="19"),
    )
    async with stage.bot(engine) as running:
        await fill(ada, GOOD[:6])
        await ada.send("/train")
        await ada.wait_for("Starting")
        await until_async(lambda: engine.jobs)
        engine.say(
            Findings(job=1, attempt=9, findings=(Finding(code="no-alpha", severity="advice", samples=(1,)),))
        )
        for _ in range(2):  # a worker that took over says it again
            engine.say(Findings(job=1, attempt=1, findings=found))
        told = await ada.wait_for("Lettering: 2, 4")
        assert "Very fine lines: 5" in told.text
        assert "No transparency" not in told.text  # that was a worker thought dead
        engine.go.set()
        await ada.wait_for("Your style zuvix is ready")
        assert "Lettering: 2, 4" in next(m.text for m in ada.messages if "I have learned zuvix" in m.text)
        assert await running.parts.store.value("SELECT count(*) FROM finding") == 3
    async with stage.bot() as running:
        await ada.send("/samples remove 2")
        await ada.wait_for("removed")
        await ada.send("/check")
        told = await ada.wait_for("What could be better")
        assert "Lettering: 3" in told.text
        assert "Very fine lines: 4" in told.text
        (style,) = await styles.all_of(running.parts.store, ada.id)
        assert {f.code for f in await findings.of_style(running.parts.store, style.id)} == {
            "lettering",
            "fine-detail",
        }
        await styles.remove(running.parts.store, style)
        assert await running.parts.store.value("SELECT count(*) FROM finding") == 0
