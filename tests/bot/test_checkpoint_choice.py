"""Checkpoints compared in chat: the sheet, the choice, what draws after it, and another base."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot import checkpoint_choice
from bot.playground import Message, Person
from bot.tables.comparisons import Comparison
from lora.jobs import Draw, Failed, Progress, ReasonCode, SavedCheckpoint, Score, Train
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.test_jobs_chat import CHECKPOINT, held, ready_to_train, until


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


async def test_an_older_sheet_changes_nothing(stage: Stage, ada: Person) -> None:
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
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
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


def compared(reasons: dict[int, ReasonCode], style: dict[int, float] | None = None) -> Comparison:
    """A comparison of checkpoints with these reasons; the chosen one is the one whose code says so."""
    chosen = next(step for step, code in reasons.items() if code in CHOSEN)
    scores = tuple(
        Score(step=step, style=(style or {}).get(step, 0.5), prompt=1.0, diversity=1.0, memorised=0.0)
        for step in reasons
    )
    return Comparison(
        job=1,
        style=1,
        keyword="x",
        chosen=chosen,
        scores=scores,
        reasons=reasons,
        sheet="",
        steps=tuple(reasons),
        used=chosen,
    )


CHOSEN = (ReasonCode.BEST, ReasonCode.LEARNED_LONGEST, ReasonCode.LEAST_BAD)


@pytest.mark.parametrize(
    ("reasons", "style", "key"),
    [
        ({1: ReasonCode.BEST, 2: ReasonCode.COPIES}, {2: 0.9}, "checkpoints-why-copies"),
        ({1: ReasonCode.LEARNED_LONGEST, 2: ReasonCode.COPIES}, {}, "checkpoints-why-copies"),
        ({1: ReasonCode.COPIES, 2: ReasonCode.BEST}, {}, "checkpoints-why-closest"),
        ({1: ReasonCode.BEST, 2: ReasonCode.FURTHER}, {2: 0.4}, "checkpoints-why-closest"),
        ({1: ReasonCode.BEST, 2: ReasonCode.FOLLOWS_LESS}, {2: 0.6}, "checkpoints-why-words"),
        ({1: ReasonCode.IGNORES_PROMPTS, 2: ReasonCode.BEST}, {1: 0.6}, "checkpoints-why-words"),
        ({1: ReasonCode.IGNORES_PROMPTS, 2: ReasonCode.BEST}, {1: 0.4}, "checkpoints-why-closest"),
        (
            {1: ReasonCode.COPIES, 2: ReasonCode.BEST, 3: ReasonCode.FURTHER},
            {1: 0.6},
            "checkpoints-why-enough",
        ),
        ({1: ReasonCode.LEARNED_LESS, 2: ReasonCode.LEARNED_LONGEST}, {1: 0.6}, "checkpoints-why-longest"),
        ({1: ReasonCode.LEARNED_LONGEST, 2: ReasonCode.FURTHER}, {}, "checkpoints-why-enough"),
        ({1: ReasonCode.LEAST_BAD, 2: ReasonCode.COPIES}, {}, "checkpoints-why-least-bad"),
    ],
)
def test_the_reason_is_the_rules_own(
    reasons: dict[int, ReasonCode], style: dict[int, float], key: str
) -> None:
    """The rule's codes decide on the text. A text on style or words is only given where it is true."""
    assert checkpoint_choice.reason(compared(reasons, style)) == key


def test_a_rule_that_the_bot_does_not_know_is_not_explained() -> None:
    """No reason is better than a wrong one: without codes, as in old rows, and for a code of a newer worker."""
    known = compared({1: ReasonCode.BEST, 2: ReasonCode.FURTHER})
    for reasons in ({}, {1: "of-tomorrow", 2: "of-tomorrow"}):
        assert checkpoint_choice.reason(replace(known, reasons=reasons)) is None


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


def test_buttons_are_few() -> None:
    """At most eight, the first, the last, the chosen and the used among them."""
    steps = range(100, 2100, 100)
    reasons = {step: ReasonCode.BEST if step == 700 else ReasonCode.FURTHER for step in steps}
    found = replace(compared(reasons), used=1300)
    shown = checkpoint_choice.offered(found)
    assert len(shown) <= 8
    assert {100, 700, 1300, 2000} <= set(shown)
