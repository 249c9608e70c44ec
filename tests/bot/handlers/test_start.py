"""/start, /help, and what the bot says to what it does not know."""

from __future__ import annotations

from bot.playground import Person
from tests.bot.conftest import Stage
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
