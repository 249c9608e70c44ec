"""The rest of the chat: first words, styles, groups, and what to say when nothing fits."""

from __future__ import annotations

import asyncio

import pytest
from telegram import Update

from bot.context import Context
from bot.handlers import start
from bot.playground import Fault, Person
from bot.serve import serve
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


async def test_new_suggests_keywords(stage: Stage, ada: Person) -> None:
    """Three buttons, each of which opens a style."""
    async with stage.bot():
        await ada.send("/new")
        told = await ada.wait_for("made-up word")
        assert len(told.buttons) == 3
        await ada.press(told, told.buttons[1].label)
        await ada.wait_for(f"Your style {told.buttons[1].label} is open")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("fox", "means something already"),
        ("../x", "“../x” cannot be a keyword"),
        ("<b>zuvix</b>", "“<b>zuvix</b>” cannot be a keyword"),
        ("два", "cannot be a keyword"),
        ("zu vix", "cannot be a keyword"),
        ("z" * 500, "cannot be a keyword"),
        ("x", "cannot be a keyword"),
    ],
)
async def test_keywords_that_cannot_be(stage: Stage, ada: Person, word: str, told: str) -> None:
    """Refused with the reason and the way out; no style is made, no path is built from it."""
    async with stage.bot():
        await ada.send(f"/new {word}")
        answer = await ada.wait_for(told)
        assert "/new" in answer.text
        await ada.send("/styles")
        await ada.wait_for("You have no style yet")


async def test_styles_are_listed_and_switched(stage: Stage, ada: Person) -> None:
    """The same keyword again, in any case, is the same style."""
    async with stage.bot():
        for word in ("zuvix", "bomux", "Zuvix"):
            await ada.send(f"/new {word}")
            await ada.wait_for(word.lower())
        await ada.send("/styles")
        told = await ada.wait_for("▸ zuvix")
        assert "• bomux" in told.text
        await ada.press(told, "bomux")
        await ada.wait_for("You are in style bomux now")
        await ada.send("/styles")
        await ada.wait_for("▸ bomux")


async def test_a_crash_is_told_with_a_number_and_logged_without_words(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person can name it, the operator can find it, nobody's text is in the log."""

    async def breaks(context: Context) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(start.unknown, "__code__", breaks.__code__)
    async with stage.bot():
        await ada.send("/secretword my secret")
        told = await ada.wait_for("something went wrong on my side")
        number = told.text.rstrip(".").split()[-1]
        assert number in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert "secret" not in caplog.text.replace("bot.secret", "").replace("secret.py", "")


async def test_a_refused_answer_does_not_stop_the_next(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """The next message has its turn."""
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello")
        stage.playground.faults.add(Fault(method="sendMessage", error=(400, "Bad Request: odd"), times=4))
        await ada.send("/help")
        await asyncio.sleep(1.5)
        await ada.send("/start")
        await ada.wait_for("Hello")


async def test_groups_are_declined_politely(stage: Stage, ada: Person) -> None:
    """A command is answered with one line, anything else with silence; nobody becomes a person of the bot."""
    said: list[tuple[int, str]] = []
    async with stage.bot() as running:

        async def text(chat: int, words: str, **_: object) -> int:
            said.append((chat, words))
            return 1

        running.parts.sender.text = text  # type: ignore[method-assign,assignment]
        for number, words in enumerate(("/sticker a fox", "hello all")):
            message = {
                "message_id": number,
                "date": 1,
                "chat": {"id": -100, "type": "group", "title": "x"},
                "from": {"id": 5, "is_bot": False, "first_name": "x"},
                "text": words,
            }
            await serve(running.parts, (), Update.de_json({"update_id": number, "message": message}, None))
        assert await running.parts.store.value("SELECT count(*) FROM person") == 0
    assert [chat for chat, _ in said] == [-100]
    assert "private" in said[0][1]


async def test_a_press_on_something_gone_is_answered(stage: Stage, ada: Person) -> None:
    """Buttons of an earlier database find nothing, and say so."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("seed 1")
        message = next(m for m in ada.messages if m.kind == "sticker")
        await running.parts.store.change("DELETE FROM drawing")
        await ada.press(message, "add:")
        await ada.wait_for("do not have that sticker any more")
