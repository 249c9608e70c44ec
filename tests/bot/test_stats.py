"""/stats tells admins how the bot does, and nobody else."""

from __future__ import annotations

from bot.config import Access
from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held
from tests.patient_person import PatientPerson
from tests.waiting import until_async


async def test_what_goes_on_is_counted(stage: Stage, ada: Person) -> None:
    """People, jobs by kind and state, waiting times, errors, disk, workers."""
    engine = held()
    async with stage.bot(engine, access=Access(admins=(ada.id,))) as running:
        await ada.send("/sticker a fox --seed 1")
        await until_async(lambda: len(engine.jobs) == 1)
        since = ada.seq
        await ada.send("/stats")
        told = await ada.wait_for("1 person", since=since)
        assert "Trainings: 0 wait, 0 run; today 0 done, 0 failed, 0 cancelled." in told.text
        assert "Drawings: 0 wait, 1 run; today 0 done, 0 failed, 0 cancelled." in told.text
        assert "Waiting" not in told.text
        assert "cpu" in told.text
        engine.go.set()
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")
        await running.parts.store.change(
            "UPDATE job SET state = 'failed', error = 'bad-adapter' WHERE id = 1"
        )
        await ada.send("/stats")
        told = await ada.wait_for("Drawings: 0 wait, 0 run; today 1 done, 1 failed, 0 cancelled.")
        assert "Waiting time today: 5 seconds in the middle, 5 seconds at most." in told.text
        assert "Errors today: bad-adapter 1." in told.text
        assert "MB of it the database" in told.text


async def test_others_get_no_numbers(stage: Stage, ada: Person) -> None:
    """To them the command does not exist."""
    async with (
        PatientPerson.join(stage.playground.address, "Olga", language_code="ru") as boss,
        stage.bot(access=Access(admins=(boss.id,))),
    ):
        await ada.send("/stats")
        await ada.wait_for("/help")
        assert not [message for message in ada.messages if "Trainings" in message.text]
        await boss.send("/stats")
        await boss.wait_for("Обучения: ждут 0, идут 0; сегодня готово 0, с ошибкой 0, отменено 0.")
