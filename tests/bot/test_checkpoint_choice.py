"""Checkpoints compared in chat: the sheet, the choice, what draws after it, and another base."""

from __future__ import annotations

import asyncio

import pytest

from bot import checkpoint_choice
from bot.playground import Message, Person
from bot.tables.comparisons import Comparison
from lora.jobs import Draw, Failed, Progress, SavedCheckpoint, Score, Train
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.test_jobs_chat import held, ready_to_train, until


async def trained(ada: Person) -> Message:
    """Train and give the message that says it is done."""
    await ada.send("/train")
    return await ada.wait_for("Your style zuvix is ready")


async def drawn_with(ada: Person, running: Running) -> bytes | None:
    """The adapter that /sticker draws with now."""
    await ada.send("/sticker a fox")
    await ada.wait_for("a fox · CFG 5 · seed")
    job = running.engine.jobs[-1]
    assert isinstance(job, Draw)
    return job.adapter


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
    """The pressed one draws, again after a restart; the tick moves; a second press changes nothing."""
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


async def test_an_older_sheet_has_no_say(stage: Stage, ada: Person) -> None:
    """After another training, and after the style is deleted: told so; old files are gone."""
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
        assert not [p for p in (stage.config.storage.dir / "blobs").glob("*/*") if p.is_file()]


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


async def test_a_training_that_goes_on_hands_its_checkpoints_back(stage: Stage, ada: Person) -> None:
    """So that the comparison has them all."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine):
        await ada.send("/train")
        await asyncio.wait_for(engine.checkpointed.wait(), 10)
        await asyncio.sleep(0.2)
    async with stage.bot() as running:
        await ada.wait_for("Your style zuvix is ready")
        (job,) = running.engine.jobs
        assert isinstance(job, Train)
        assert job.earlier == (SavedCheckpoint(step=2, adapter=b"adapter of zuvix at 2"),)


async def test_comparing_is_told(stage: Stage, ada: Person) -> None:
    """After the last step the message says what goes on."""
    engine = held()
    async with ready_to_train(stage, ada, engine):
        await ada.send("/train")
        await until(lambda: engine.jobs)
        engine.say(Progress(job=1, attempt=1, step=4, steps=4, seconds_left=0))
        await ada.wait_for("Comparing what I have learned")


async def test_a_new_base_asks_for_a_new_training(stage: Stage, ada: Person) -> None:
    """Told before anything is drawn; one tap trains on the kept samples, and then it draws."""
    async with ready_to_train(stage, ada):
        await trained(ada)
    async with stage.bot(FakeEngine(base_hash="1" * 64)) as running:
        await until(lambda: running.parts.dispatch.base)
        await ada.send("/sticker a fox")
        told = await ada.wait_for("new drawing model")
        assert running.engine.jobs == []
        await ada.press(told, "train:again:")
        await ada.wait_for("Your style zuvix is ready")
        assert await drawn_with(ada, running) == b"adapter of zuvix at 4"


async def test_a_draw_that_the_worker_refuses_offers_the_same(stage: Stage, ada: Person) -> None:
    """Where the bot could not know: an adapter whose base was never written down."""
    engine = FakeEngine()
    async with ready_to_train(stage, ada, engine) as running:
        await trained(ada)
        await running.parts.store.change("UPDATE checkpoint SET base = NULL")
        engine.go.clear()
        await ada.send("/sticker a fox")
        await until(lambda: len(engine.jobs) == 2)
        engine.say(Failed(job=2, attempt=1, code="other-base"))
        told = await ada.wait_for("new drawing model")
        engine.go.set()
        await ada.press(told, "train:again:1")
        await ada.wait_for("Your style zuvix is ready")


@pytest.mark.parametrize(
    ("nearer", "words"),
    [(0.7, "looks-why-words"), (1.0, "looks-why-enough"), (1.3, "looks-why-enough")],
)
def test_a_nearer_look_that_was_left_is_said_to_listen_less_only_if_it_does(
    nearer: float, words: str
) -> None:
    """By more than chance, and not where the best one follows no words itself."""

    def why(best: float, other: float) -> str | None:
        rows = [(100, 0.5, best), (200, 0.6, other)]
        scores = tuple(
            Score(step=step, style=style, prompt=prompt, diversity=1.0, memorised=0.0)
            for step, style, prompt in rows
        )
        found = Comparison(
            job=1, style=1, keyword="x", best=100, scores=scores, sheet="", steps=(100, 200), used=100
        )
        return checkpoint_choice.reason(found)

    assert why(1.1, nearer) == words
    assert why(-0.1, nearer - 1) == "looks-why-enough"


def test_the_last_one_is_said_to_have_learned_longest_if_nothing_else_speaks_for_it() -> None:
    """It is no nearer, and an earlier one listens as well."""
    scores = tuple(
        Score(step=step, style=style, prompt=1.0, diversity=1.0, memorised=0.0)
        for step, style in ((100, 0.6), (200, 0.5))
    )
    found = Comparison(
        job=1, style=1, keyword="x", best=200, scores=scores, sheet="", steps=(100, 200), used=200
    )
    assert checkpoint_choice.reason(found) == "looks-why-longest"


def test_buttons_are_few() -> None:
    """At most eight, the first, the last, the best and the used among them."""
    steps = tuple(range(100, 2100, 100))
    score = Score(step=700, style=1.0, prompt=1.0, diversity=1.0, memorised=0.0)
    found = Comparison(
        job=1, style=1, keyword="x", best=700, scores=(score,), sheet="", steps=steps, used=1300
    )
    shown = checkpoint_choice.offered(found)
    assert len(shown) <= 8
    assert {100, 700, 1300, 2000} <= set(shown)
