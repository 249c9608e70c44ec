"""/train: what is refused, what is asked, and one training at a time."""

from __future__ import annotations

from bot.playground import Person
from lora.jobs import Failed, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held, picture
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async as until


async def test_too_few_pictures(stage: Stage, ada: Person) -> None:
    """Refused with the number there are, the number needed and the number advised."""
    async with ready_to_train(stage, ada, count=4):
        await ada.send("/train")
        told = await ada.wait_for("too few")
        assert "at least 5" in told.text
        assert "20–50" in told.text


async def test_pictures_without_words_are_named(stage: Stage, ada: Person) -> None:
    """By their numbers, with a way to go on without."""
    async with ready_to_train(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 77), as_="document")
        await ada.wait_for("6 in all")
        await ada.send("/train")
        told = await ada.wait_for("no words yet: 6")
        await ada.press(told, "train:bare")
        await ada.wait_for("is ready")
        (job,) = running.engine.jobs
        assert isinstance(job, Train)
        assert [sample.caption for sample in job.samples][4:] == ["zuvix fox 4", "zuvix"]


async def test_a_style_is_trained_once_at_a_time(stage: Stage, ada: Person) -> None:
    """The second /train says so."""
    async with ready_to_train(stage, ada, held()):
        await ada.send("/train")
        await ada.wait_for("Learning zuvix from")
        await ada.send("/train")
        await ada.wait_for("learning zuvix already")


async def test_a_failed_training_can_be_asked_for_again(stage: Stage, ada: Person) -> None:
    """With one button; nothing that was sent is lost."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/train")
        await until(lambda: engine.jobs)
        engine.say(Failed(job=1, attempt=1, code="not-a-number"))
        told = await ada.wait_for("could not learn")
        engine.go.set()
        await ada.press(told, "train:again")
        await ada.wait_for("Your style zuvix is ready")


async def test_the_seed_of_a_training_does_not_depend_on_others(stage: Stage, ada: Person) -> None:
    """A style of the same name gets the same seed, whatever number its row has."""
    async with stage.bot() as running:
        for _ in range(2):
            await ada.send("/new zuvix")
            await ada.wait_for("zuvix is open")
            for number in range(5):
                await ada.send_picture(picture(128, 128, number), as_="document", caption=f"fox {number}")
            await ada.wait_for("5 in all")
            await ada.send("/train")
            await ada.wait_for("Your style zuvix is ready")
            await ada.send("/delete")
            await ada.press(await ada.wait_for("cannot be undone"), "delete:")
            await ada.wait_for("Style zuvix is deleted")
        first, second = (job.settings.seed for job in running.engine.jobs if isinstance(job, Train))
        assert first == second
        assert first not in (0, 1, 2)
