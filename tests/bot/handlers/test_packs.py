"""The buttons that put stickers into packs."""

from __future__ import annotations

from bot.playground import Person
from tests.bot.conftest import Stage


async def test_a_press_on_something_gone_is_answered(stage: Stage, ada: Person) -> None:
    """A button whose drawing is not in the database gets an answer that says so."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("seed 1")
        message = next(m for m in ada.messages if m.kind == "sticker")
        await running.parts.store.change("DELETE FROM drawing")
        await ada.press(message, "add:")
        await ada.wait_for("do not have that sticker any more")
