"""What nobody expects gets help, once in a while; buttons work after a restart, and old ones explain themselves."""

from __future__ import annotations

from typing import Any

import pytest
from telegram import Update

from bot.handlers import GROUP_ROUTES, ROUTES
from bot.playground import Person
from bot.serve import serve
from tests.bot.conftest import Running, Stage

ODD: list[dict[str, Any]] = [
    {"voice": {"file_id": "x", "file_unique_id": "x", "duration": 1}},
    {"location": {"latitude": 1.0, "longitude": 2.0}},
    {"dice": {"emoji": "🎲", "value": 3}},
    {"contact": {"phone_number": "1", "first_name": "x"}},
    {
        "poll": {
            "id": "1",
            "question": "x",
            "options": [],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": False,
            "members_only": False,
        }
    },
]


async def receive(running: Running, ada: Person, number: int, **content: Any) -> None:
    """Hand over a message that the playground's people cannot send."""
    user = {"id": ada.id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    chat = {"id": ada.id, "type": "private", "first_name": "Ada"}
    message = {"message_id": number, "date": 1, "chat": chat, "from": user} | content
    update = Update.de_json({"update_id": number, "message": message}, None)
    await serve(running.parts, ROUTES, GROUP_ROUTES, update)


@pytest.mark.parametrize("content", ODD, ids=lambda content: next(iter(content)))
async def test_odd_messages_get_help_once(stage: Stage, ada: Person, content: dict[str, Any]) -> None:
    """A voice message, a place, a dice, a contact, a poll: told what can be sent; ten of them, told once."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("Hello")
        for number in range(10):
            await receive(running, ada, 9000 + number, **content)
        await ada.send("/help")
        await ada.wait_for("Teach me a look")
        assert sum("I cannot use that" in message.text for message in ada.messages) == 1


async def test_commands_and_words_that_nobody_knows(stage: Stage, ada: Person) -> None:
    """A slip gets the command that was meant; plain words with nothing to caption can be drawn."""
    async with stage.bot():
        await ada.send("/stiker a fox")
        await ada.wait_for("Did you mean /sticker?")
        await ada.send("/qqqqqq")
        await ada.wait_for("/help lists what I can do")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        for words in ("a fox", "a blue cat"):
            await ada.send(words)
            told = await ada.wait_for("No picture waits for words")
        await ada.press(told, "Draw “a blue cat”")
        await ada.wait_for("a blue cat · CFG 5")


async def test_buttons_survive_a_restart(stage: Stage, ada: Person) -> None:
    """What a button needs is in its data and in rows."""
    async with stage.bot():
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("seed 1")
        sticker = next(message for message in ada.messages if message.kind == "sticker")
    async with stage.bot():
        await ada.press(sticker, "again:")
        await ada.wait_for("CFG 5 · seed")


async def test_old_buttons_explain_themselves(stage: Stage, ada: Person) -> None:
    """Of a deleted style, of a message that Telegram does not show any more, of an earlier version."""
    async with stage.bot() as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send("/styles")
        shown = await ada.wait_for("Your styles")
        await ada.send("/delete")
        await ada.press(await ada.wait_for("cannot be undone"), "delete:")
        await ada.wait_for("is deleted")
        await ada.press(shown, "style:")
        await ada.wait_for("That style is not here any more")
        user = {"id": ada.id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
        chat = {"id": ada.id, "type": "private"}
        seen = {"message_id": shown.id, "date": 1, "chat": chat, "from": user, "text": "x"}
        said: list[str] = []

        async def answer(press_id: str, text: str = "") -> None:
            said.append(text)

        running.parts.sender.answer = answer  # type: ignore[method-assign]
        for about in ({}, {"message": seen}):
            press = {"id": "1", "from": user, "chat_instance": "1", "data": "frobnicate:1", **about}
            await serve(
                running.parts,
                ROUTES,
                GROUP_ROUTES,
                Update.de_json({"update_id": 1, "callback_query": press}, None),
            )
        assert len(said) == 2
        assert all("from an earlier time" in text for text in said), said


async def test_privacy_is_told(stage: Stage, ada: Person) -> None:
    """A standard command of Telegram: what, how long, who, and how to delete it."""
    async with stage.bot():
        await ada.send("/privacy")
        told = await ada.wait_for("What I keep")
        assert "30 days" in told.text
        assert "/forgetme" in told.text
