"""Samples corrected by plain messages with their numbers, and the last change taken back."""

from __future__ import annotations

import pytest

from bot.blobs import Blobs
from bot.config import Train
from bot.playground import Fault, Message, Person
from bot.sample_lines import Corrections, corrections, is_undo
from bot.tables import changes
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.bot.styled import captions, kept, styled
from tests.waiting import until_async as until


async def fill(ada: Person, count: int) -> None:
    for number in range(count):
        await ada.send_picture(picture(128, 128, number), as_="document", caption=f"fox {number + 1}")
    await ada.wait_for(f"{count} in all")


@pytest.mark.parametrize(
    ("text", "captions", "removed"),
    [
        ("12: a fox drinking coffee", {12: "a fox drinking coffee"}, ()),
        ("-12", {}, (12,)),
        ("−12, 14; #3", {}, (3, 12, 14)),
        ("#2) a cat\n\n- 5\n1. a dog: brown", {1: "a dog: brown", 2: "a cat"}, (5,)),
        ("3: a cat\n-3", {}, (3,)),
        (
            "6 - a medal\n№7 — a cup\n8：a hat\n9 : a cap",
            {6: "a medal", 7: "a cup", 8: "a hat", 9: "a cap"},
            (),
        ),
        ("удали 1, 2\nDelete 4", {}, (1, 2, 4)),
        ("3: a dog, 4: a cat; #5: a cow", {3: "a dog", 4: "a cat", 5: "a cow"}, ()),
        ("3: a dog, a cat and 4 mice, 5:30", {3: "a dog, a cat and 4 mice, 5:30"}, ()),
    ],
)
def test_lines_that_correct(text: str, captions: dict[int, str], removed: tuple[int, ...]) -> None:
    """In any order, with the marks that people put."""
    assert corrections(text) == Corrections(captions=captions, removed=removed)


@pytest.mark.parametrize(
    "text",
    ["a fox", "10:30", "2.5 cats", "12:", "-", "- a fox", "3: a fox\nand a cat", "-12 a fox", "12345: a"],
)
def test_other_texts_are_captions(text: str) -> None:
    """A text that only looks a little like a correction stays a caption."""
    assert corrections(text) is None


@pytest.mark.parametrize(
    ("text", "meant"), [("undo", True), ("Undo!", True), ("Отменить", True), ("undo it", False), ("", False)]
)
def test_the_word_for_taking_back(text: str, meant: bool) -> None:
    """In each language of the bot, alone in its message."""
    assert is_undo(text) is meant


async def test_several_lines_at_once_and_undo(stage: Stage, ada: Person) -> None:
    """One answer with one button; the word takes back all of it, the removed picture under its old number."""
    async with styled(stage, ada) as running:
        await fill(ada, 4)
        before = await kept(running)
        since = ada.seq
        await ada.send("3: a cat drinking tea\n-2\n1: a dog")
        told = await ada.wait_for("Removed: 2. 3 pictures are left")
        assert "Picture 1: zuvix a dog" in told.text
        assert "Picture 3: zuvix a cat drinking tea" in told.text
        assert len(ada.heard(since)) == 1
        assert await captions(running) == ["zuvix a dog", "zuvix a cat drinking tea", "zuvix fox 4"]
        await ada.send("undo")
        told = await ada.wait_for("Back again: 2.")
        assert "As before again: 1, 3." in told.text
        assert [(s.id, s.caption, s.blob) for s in await kept(running)] == [
            (s.id, s.caption, s.blob) for s in before
        ]
        await running.parts.blobs.read(before[1].blob)


async def test_the_button_takes_back_only_the_last_change(stage: Stage, ada: Person) -> None:
    """An older one says what to do first; a caption by /caption or by a reply can be taken back, too."""
    async with styled(stage, ada) as running:
        await fill(ada, 3)
        await ada.send("/samples")
        await ada.wait_for("just write:\n1: a red fox\n-1\nundo")
        await ada.send("-1")
        first = await ada.wait_for("Removed: 1.")
        await ada.send("/caption 1 a hare")
        await ada.wait_for("zuvix a hare")
        await ada.press(first, "undo:")
        await ada.wait_for("Something was changed after that")
        await ada.send("Undo.")
        await ada.wait_for("As before again: 1.")
        await ada.press(first, "undo:")
        await ada.wait_for("Back again: 1.")
        await ada.press(first, "undo:")
        await ada.wait_for("taken back already")
        assert await captions(running) == ["zuvix fox 1", "zuvix fox 2", "zuvix fox 3"]


async def test_all_of_a_message_or_nothing(stage: Stage, ada: Person) -> None:
    """A number that is not there, a caption that is too long, an edit of a list: nothing changes."""
    async with styled(stage, ada) as running:
        await fill(ada, 2)
        await ada.send("-1\n7: a cat")
        await ada.wait_for("There is no picture 7")
        await ada.send("-1\n2: " + "cat " * 100)
        await ada.wait_for("caption for picture 2 is too long")
        sent = await ada.send("2: a cat")
        await ada.wait_for("zuvix a cat")
        await ada.edit(sent, "-1\n2: a cow")
        await ada.wait_for("do not follow edits")
        assert await captions(running) == ["zuvix fox 1", "zuvix a cat"]


async def test_a_removed_picture_lives_as_long_as_it_can_be_had_back(stage: Stage, ada: Person) -> None:
    """Its file goes when the change is forgotten: after ten later ones, after a day, or with the style."""
    async with styled(stage, ada) as running:
        await fill(ada, 4)
        blobs, store = running.parts.blobs, running.parts.store
        names = [sample.blob for sample in await kept(running)]
        await ada.send("-1")
        await ada.wait_for("Removed: 1.")
        await blobs.read(names[0])
        for number in range(changes.KEPT):
            await ada.send(f"1: a cat with {number} hats")
            await ada.wait_for(f"a cat with {number} hats")
        await _is_gone(blobs, names[0])
        await ada.send("-1")
        await ada.wait_for("Removed: 1.")
        await blobs.sweep(await changes.forget_before(store, 2e9))
        await _is_gone(blobs, names[1])
        await ada.send("-1")
        await ada.wait_for("Removed: 1.")
        await ada.send("/delete")
        await ada.press(await ada.wait_for("Delete style"), "delete:")
        await ada.wait_for("is deleted")
        await _is_gone(blobs, names[2])


async def _is_gone(blobs: Blobs, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        await blobs.read(name)


async def test_what_is_had_back_needs_room(stage: Stage, ada: Person) -> None:
    """A style does not grow beyond its limit; a file that was sent again meanwhile stays one sample."""
    async with styled(stage, ada, train=Train(max_samples=2)) as running:
        await fill(ada, 2)
        await ada.send("-1, 2")
        await ada.wait_for("Removed: 1, 2.")
        await ada.send_picture(picture(128, 128, 8), as_="document")
        await ada.wait_for("1 in all")
        await ada.send("undo")
        await ada.wait_for("A style can have 2 pictures")
        assert len(await kept(running)) == 1


async def test_a_correction_worked_off_twice(stage: Stage, ada: Person) -> None:
    """After a kill the same messages come again: nothing is removed or taken back a second time."""
    async with styled(stage, ada) as running:
        await fill(ada, 3)
        asked = await ada.send("-1\n2: a cat")
        await ada.wait_for("Removed: 1. 2 pictures")
        await _again(stage, ada, asked)
        await ada.wait_for("Removed: 1. 2 pictures")
        back = await ada.send("undo")
        await ada.wait_for("Back again: 1.")
        await ada.send("-3")
        await ada.wait_for("Removed: 3.")
        await _again(stage, ada, back)
        await ada.send("/status")
        await ada.wait_for("Style zuvix: 2 pictures")
        assert await captions(running) == ["zuvix fox 1", "zuvix fox 2"]


async def test_a_kill_before_an_undo_is_told(stage: Stage, ada: Person) -> None:
    """The answer is a row of the same transaction: the next start sends it, once."""
    async with styled(stage, ada) as running:
        await fill(ada, 3)
        await ada.send("-1")
        await ada.wait_for("Removed: 1.")
        stage.playground.faults.add(Fault(method="sendMessage", error=(502, "Bad Gateway"), times=999))
        since = ada.seq
        await ada.send("undo")
        await until(lambda: running.parts.store.value("SELECT count(*) FROM outbox"))
    stage.playground.faults.clear()
    async with stage.bot() as running:
        await ada.wait_for("Back again: 1.", since=since)
        await until(
            lambda: running.parts.store.value("SELECT count(*) = 0 FROM inbox WHERE state = 'waiting'")
        )
    assert len([message for message in ada.heard(since) if "Back again" in message.text]) == 1


async def _again(stage: Stage, ada: Person, message: Message) -> None:
    await ada.read()
    ada._mark = ada.seq
    stage.playground.world.updates.add("message", message.raw)
