"""What the filter refuses: its person is told, nothing of it is stored or sent, and everything else goes on."""

from __future__ import annotations

import pytest

from bot.config import Access
from bot.playground import Person
from bot.tables import usage
from bot.tables.jobs import JobKind
from lora.jobs import Draw, Failed, Finding, Findings, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine, picture
from tests.bot.marked import stored_files
from tests.bot.trainings import fill
from tests.patient_person import PatientPerson

UNSAFE_SEED = 13
UNSAFE = [picture(128, 128, number) for number in (2, 4)]


class FilteringEngine(FakeEngine):
    """Refuses one seed and two samples, with the events that a worker sends then."""

    async def _draw(self, job: Draw) -> None:
        refused = [
            index
            for index in range(job.options.count)
            if job.options.of_picture(index).newest_seed == UNSAFE_SEED
        ]
        if not refused:
            return await super()._draw(job)
        await self.go.wait()
        for index in range(job.options.count):
            if index not in refused:
                self.say(self.drawn(job, index))
        self.say(Failed(job=job.id, attempt=job.attempt, code="unsafe-drawing"))

    async def _train(self, job: Train) -> None:
        found = tuple(n for n, sample in enumerate(job.samples, 1) if sample.picture in UNSAFE)
        if not found:
            return await super()._train(job)
        finding = Finding(code="unsafe", severity="error", samples=found)
        self.say(Findings(job=job.id, attempt=job.attempt, findings=(finding,)))
        self.say(Failed(job=job.id, attempt=job.attempt, code="unsafe-samples"))


async def test_an_unsafe_drawing_is_neither_sent_nor_stored(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """The job fails with its reason, counts for nothing, and a training beside it goes on. Admins see numbers."""
    engine = FilteringEngine()
    async with (
        PatientPerson.join(stage.playground.address, "Olga", language_code="ru") as boss,
        stage.bot(engine, access=Access(admins=(boss.id,))) as running,
    ):
        store = running.parts.store
        await fill(ada, [(picture(128, 128, number), f"fox {number}") for number in (5, 6, 7, 8, 9)])
        files = len(stored_files(stage))
        engine.hold_after_checkpoint = True
        await ada.send("/train")
        await engine.checkpointed.wait()
        await ada.send(f"/sticker a wubble fox --seed {UNSAFE_SEED}")
        await ada.wait_for("The drawing came out as something that I do not send")
        assert not [message for message in ada.messages if message.kind == "sticker"]
        assert await store.value("SELECT count(*) FROM drawing") == 0
        assert await usage.used_today(store, ada.id, JobKind.DRAW) == 0
        assert len(stored_files(stage)) == files + 2, "the checkpoint and its state"
        assert await store.value("SELECT state FROM job WHERE kind = 'train'") == "running"
        await boss.send("/stats")
        told = await boss.wait_for("Ошибки сегодня: unsafe-drawing 1.")
        assert "wubble" not in told.text
        assert "wubble" not in caplog.text
        await ada.send("/sticker a wubble fox --seed 1")
        await ada.wait_for("seed 1")


async def test_the_others_of_a_draw_are_sent(stage: Stage) -> None:
    """Two of three; the message says how many and why."""
    async with (
        PatientPerson.join(stage.playground.address, "Liza", language_code="ru") as liza,
        stage.bot(FilteringEngine()),
    ):
        await liza.send(f"/sticker a fox --n 3 --seed {UNSAFE_SEED - 1}")
        told = await liza.wait_for("Получилось такое, чего я не отправляю")
        assert "2 стикера из 3." in told.text
        assert len([message for message in liza.messages if message.kind == "sticker"]) == 2


async def test_unsafe_samples_are_not_learned(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Their person reads which ones; nothing is learned, and no training of the day is used up. Without them it is."""
    async with stage.bot(FilteringEngine()) as running:
        store = running.parts.store
        await fill(ada, [(picture(128, 128, number), f"a fox, qapla {number}") for number in range(1, 8)])
        await ada.send("/train")
        told = await ada.wait_for("look like nudity or sex to my filter")
        assert "🚫 2, 4: my filter" in told.text
        assert "/samples" in told.text
        await ada.wait_for("I could not learn zuvix. Your pictures are all still here.")
        assert await store.value("SELECT count(*) FROM checkpoint") == 0
        assert await store.value("SELECT count(*) FROM sample") == 7
        assert await usage.used_today(store, ada.id, JobKind.TRAIN) == 0
        assert "unsafe-samples" in caplog.text
        assert "qapla" not in caplog.text
        await ada.send("-2, 4")
        await ada.wait_for("Removed: 2, 4")
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")
