"""/start, /help, and what the bot says to what it does not know."""

from __future__ import annotations

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.test_odd_answers import service
from tests.patient_person import PatientPerson


async def test_first_words_and_menu(stage: Stage, ada: Person) -> None:
    """A newcomer reads the next step; the app's menu offers the commands."""
    async with stage.bot():
        await ada.send("/start")
        assert "Begin with /new" in (await ada.wait_for("Hello Ada!")).text
        await ada.send("/help")
        await ada.wait_for("/sticker a fox drinking coffee")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send("/start")
        await ada.wait_for("Welcome back, Ada")
        await ada.send("/nonsense")
        await ada.wait_for("/help")


async def test_a_name_with_markup_is_a_name(stage: Stage) -> None:
    """Telegram would refuse a message with somebody's unclosed tag in it."""
    async with stage.bot(), PatientPerson.join(stage.playground.address, "<b>&Ada") as person:
        await person.send("/start")
        await person.wait_for("Hello <b>&Ada!")
        async with PatientPerson.join(stage.playground.address, "\u3164\u202e") as unseen:
            await unseen.send("/start")
            await unseen.wait_for("Hello 🙂!")


async def test_a_command_below_a_voice_message(stage: Stage, ada: Person) -> None:
    """It is done, an unknown one is answered, and nothing is said of a picture that there is not."""
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello Ada!")
        since, voice = ada.seq, {"file_id": "v", "file_unique_id": "v", "duration": 1}
        for id, caption in enumerate(("/nonsense", "/statuss", "/help"), start=900_000):
            message = service(ada, message_id=id, voice=voice, caption=caption)
            stage.playground.world.updates.add("message", message)
        await ada.wait_for("Teach me a look", since=since)
        assert [told.text.split(".")[0] for told in ada.heard(since)][:2] == [
            "I do not know that command",
            "I do not know that command",
        ]
        await ada.send("/language")
        await ada.wait_for("Which language")
        assert not [told for told in ada.heard(since) if "that picture" in told.text]
