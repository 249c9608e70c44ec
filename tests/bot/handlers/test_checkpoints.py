"""Choosing a checkpoint in chat: the sheet, its buttons, and what draws after it."""

from __future__ import annotations

import pytest

from bot.playground import Message, Person
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import stored_files
from tests.bot.trainings import drawn_with, ready_to_train, trained


def labels(message: Message) -> list[str]:
    return [button.label for button in message.buttons]


async def test_the_end_of_a_training_brings_the_sheet(stage: Stage, ada: Person) -> None:
    """One message: the sheet, which row is used and why, a button for each; the best one draws."""
    async with ready_to_train(stage, ada, FakeEngine(compares=2)) as running:
        since = ada.seq
        told = await trained(ada)
        assert told.kind == "photo"
        assert "after 2 steps" in told.text
        assert "Later ones copy your pictures" in told.text
        assert labels(told) == ["✓ after 2 steps", "after 4 steps"]
        assert len([m for m in ada.heard(since) if m.kind == "photo"]) == 1
        assert await drawn_with(ada, running) == b"adapter of zuvix at 2"


async def test_a_choice_lasts(stage: Stage, ada: Person) -> None:
    """The pressed checkpoint draws, also after a restart. The tick moves to it. A second press changes nothing."""
    async with ready_to_train(stage, ada, FakeEngine(compares=2)) as running:
        told = await trained(ada)
        for _ in range(2):
            await ada.press(told, "after 4 steps")
            assert "from now on" in await ada.wait_for_notice()
        await until_labelled(ada, told, ["after 2 steps", "✓ after 4 steps"])
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"
    async with stage.bot() as running:
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"
        await ada.press(told, "after 2 steps")
        await until_labelled(ada, told, ["✓ after 2 steps", "after 4 steps"])
        assert await drawn_with(ada, running) == b"adapter of zuvix at 2"
        assert len([m for m in ada.messages if m.kind == "photo" and m.from_bot]) == 1


async def until_labelled(ada: Person, told: Message, wanted: list[str]) -> None:
    await ada.wait_for(lambda m: m.id == told.id and labels(m) == wanted, since=0)


async def test_an_older_sheet_changes_nothing(stage: Stage, ada: Person) -> None:
    """After another training, or after /delete, a press on it is answered with the reason; the old files are gone."""
    async with ready_to_train(stage, ada, FakeEngine(compares=2)) as running:
        first = await trained(ada)
        await trained(ada)
        await ada.press(first, "after 4 steps")
        await ada.wait_for("earlier training of zuvix")
        rows = await running.parts.store.rows("SELECT DISTINCT job FROM checkpoint")
        assert [row["job"] for row in rows] == [2]
        assert await running.parts.store.value("SELECT count(*) FROM comparison") == 1
        await ada.send("/delete")
        await ada.press(await ada.wait_for("cannot be undone"), "delete:")
        await ada.wait_for("Style zuvix is deleted")
        await ada.press(first, "after 4 steps")
        await ada.wait_for("not here any more")
        assert stored_files(stage) == []


async def test_the_choice_is_offered_again(stage: Stage, ada: Person) -> None:
    """/styles has a button that sends the sheet once more; what is chosen there counts."""
    async with ready_to_train(stage, ada, FakeEngine(compares=2)) as running:
        await trained(ada)
        await ada.send("/styles")
        await ada.press(await ada.wait_for("Your styles"), "looks:")
        told = await ada.wait_for(lambda m: m.kind == "photo")
        await ada.press(told, "after 4 steps")
        await ada.wait_for_notice()
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"


async def test_a_comparison_of_an_earlier_version_shows_no_reason(stage: Stage, ada: Person) -> None:
    """Its row has no codes; the sheet and the choice are there as before."""
    async with ready_to_train(stage, ada, FakeEngine(compares=2)) as running:
        await trained(ada)
        await running.parts.store.change("UPDATE comparison SET reasons = NULL")
        await ada.send("/styles")
        await ada.press(await ada.wait_for("Your styles"), "looks:")
        told = await ada.wait_for(lambda m: m.kind == "photo")
        assert "after 2 steps" in told.text
        assert "copy your pictures" not in told.text
        assert labels(told) == ["✓ after 2 steps", "after 4 steps"]


async def test_that_nothing_was_compared_is_told(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """The style is ready all the same and draws with the last checkpoint. The operator's log has the reason."""
    engine = FakeEngine()
    engine.uncompared = "out-of-memory"
    async with ready_to_train(stage, ada, engine) as running:
        told = await trained(ada)
        assert told.kind == "text"
        assert "I could not compare what I had learned" in told.text
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"
        engine.uncompared = ""
        assert "compare" not in (await trained(ada)).text
    assert "job 1: its checkpoints could not be compared" in caplog.text
    assert "the device ran out of memory" in caplog.text
