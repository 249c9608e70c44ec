"""/status and /cancel."""

from __future__ import annotations

from bot.playground import Person
from bot.tables import jobs, styles
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async as until


async def test_cancelling(stage: Stage, ada: Person) -> None:
    """One job ends at once; of several the person chooses; a button ends its own."""
    engine = held()
    async with stage.bot(engine) as running:
        await ada.send("/cancel")
        await ada.wait_for("Nothing is going on")
        await ada.send("/sticker a fox")
        await until(lambda: len(engine.jobs) == 1)
        await ada.send("/cancel")
        await ada.wait_for("Drawing a fox was cancelled")
        await ada.send("/sticker a dog")
        await ada.send("/sticker a cat")
        told = await ada.wait_for("Drawing a cat")
        await ada.send("/cancel")
        which = await ada.wait_for("Which one?")
        await ada.press(which, "a dog")
        await ada.wait_for("Drawing a dog was cancelled")
        await ada.press(told, "cancel:")
        await ada.wait_for("Drawing a cat was cancelled")
        assert await jobs.active(running.parts.store) == []
        engine.go.set()
        await ada.send("/sticker a bird --seed 3")
        await ada.wait_for("a bird · CFG 5 · seed 3")


async def test_a_cancelled_training_frees_its_worker(stage: Stage, ada: Person) -> None:
    """Events that the worker still sends about it change nothing."""
    engine = held()
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        told = await ada.wait_for("Learning zuvix from")
        await until(lambda: engine.jobs)
        await ada.press(told, "cancel:")
        await ada.wait_for("Learning zuvix was cancelled")
        engine.go.set()
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")
        found = await styles.all_of(running.parts.store, ada.id)
        assert found[0].adapter is not None


async def test_status_tells_what_is_going_on(stage: Stage, ada: Person) -> None:
    """Style, jobs with place and time, packs."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/status")
        told = await ada.wait_for("Style zuvix: 5 pictures, not trained yet")
        assert "Nothing is going on" in told.text
        await ada.send("/train")
        await ada.send("/status")
        await ada.wait_for(lambda m: "Style zuvix" in m.text and "Learning zuvix" in m.text)


async def test_status_after_the_chosen_style_is_deleted(stage: Stage, ada: Person) -> None:
    """Whoever has another style is sent to /styles, not told that there is none."""
    async with stage.bot():
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix")
        await ada.send("/new bruvo")
        await ada.wait_for("bruvo")
        await ada.send("/delete")
        await ada.press(await ada.wait_for(lambda m: m.button("Delete") is not None), "Delete")
        await ada.wait_for("is deleted")
        await ada.send("/status")
        await ada.wait_for("None of your styles is chosen")
