"""/new, /styles and /delete: keywords, the list of styles, and what goes with a style."""

from __future__ import annotations

import pytest

from bot.playground import Person
from bot.tables import styles
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import stored_files
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async as until


async def test_new_suggests_keywords(stage: Stage, ada: Person) -> None:
    """Three buttons, each of which opens a style, and one that ends the question."""
    async with stage.bot():
        await ada.send("/new")
        told = await ada.wait_for("made-up word")
        assert len(told.buttons) == 4
        await ada.press(told, told.buttons[1].label)
        await ada.wait_for(f"Your style {told.buttons[1].label} is open")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("fox", "is known to me"),
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
        assert stored_files(stage) == []
        assert await styles.all_of(running.parts.store, ada.id) == []
