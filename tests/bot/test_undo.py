"""/undo takes back the last change, of whatever kind, and names it."""

from __future__ import annotations

import pytest

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.styled import captions, item, styled
from tests.bot.test_pack_changes import ids, packed, quick, shown  # noqa: F401 - a fixture
from tests.patient_person import PatientPerson


async def test_the_last_change_first_whatever_it_is_of(stage: Stage, ada: Person) -> None:
    """Of packs, captions and keywords, in two styles: the newest that stands, and the answer says which it was."""
    async with packed(stage, ada) as running:
        title = (await ada.packs())[0]["title"]
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.album([item(1, "fox 1"), item(2, "fox 2")])
        await ada.wait_for("2 in all")
        for order, done in (
            ("1: a hare", "zuvix a hare"),
            ("/packs title Foxes", "called Foxes now"),
            ("-2", "Removed: 2"),
            ("/rename bomux", "zuvix is called bomux now, in its captions"),
            ("/new zuvix", "zuvix is open"),
            ("/rename fazok", "zuvix is called fazok now. It draws"),
            ("/packs move 3 to 1", "is number 1 now"),
        ):
            await ada.send(order)
            await ada.wait_for(done)
        for told in (
            "is number 3 of Foxes again",
            "fazok is called zuvix again",
        ):
            await ada.send("undo")
            await ada.wait_for(f"Taken back: {told}" if "called" in told else told)
        await ada.send("undo")
        await ada.wait_for("zuvix already")  # the other style is called so now
        await ada.send("/delete")
        await ada.press(await ada.wait_for("Delete style zuvix"), "delete:")
        await ada.wait_for("zuvix is deleted")
        for told in (
            "bomux is called zuvix again",
            "Taken back in your style zuvix.\nBack again: 2.",
            f"the pack is called {title} again",
            "Taken back in your style zuvix.\nAs before again: 1.",
            "sticker is out of",
        ):
            await ada.send("/undo")
            await ada.wait_for(told)
        assert await captions(running) == ["zuvix fox 1", "zuvix fox 2"]


async def test_no_change_costs_no_undo(stage: Stage, ada: Person) -> None:
    """The same title, emoji, words or keyword: the answer says so, and the change before is still the last one."""
    async with packed(stage, ada, 1):
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        title = (await ada.packs())[0]["title"]
        for order, done in (
            ("/packs title Foxes", "called Foxes now"),
            ("/packs title Foxes", "called Foxes already"),
            ("/rename zuvix", "called zuvix already"),
        ):
            await ada.send(order)
            await ada.wait_for(done)
        await ada.send("/undo")
        await ada.wait_for(f"called {title} again")
        await ada.send("/packs emoji 1 🐙")
        await ada.wait_for("for 🐙 now")
        await ada.send("/packs emoji 1 🐙")
        await ada.wait_for("has these emoji already")
        await ada.send("/packs words 1 sea, octopus")
        told = await ada.wait_for("is found by these words now")
        await ada.send("/packs words 1 sea, octopus")
        await ada.wait_for("is found by these words already")
        await ada.press(told, "↩ Undo")
        await ada.wait_for("is found by")
        await ada.press(told, "↩ Undo")
        await ada.wait_for("taken back already")


async def test_the_same_words_again_are_no_change(stage: Stage, ada: Person) -> None:
    """By number, in a reply or by /caption: undo takes back the last change that changed something."""
    async with styled(stage, ada) as running:
        sent = await ada.album([item(1, "a fox"), item(2, "a cat")])
        await ada.wait_for("2 in all")
        await ada.send("1: a dog")
        await ada.wait_for("Picture 1: zuvix a dog")
        await ada.send("1: a dog")
        assert not (await ada.wait_for("It was so before")).buttons
        await ada.send("/caption 1 a dog")
        await ada.wait_for("Picture 1: zuvix a dog")
        await ada.send("a cat", reply_to=sent[1])
        await ada.wait_for("Picture 2: zuvix a cat")
        await ada.send("/undo")
        await ada.wait_for("Picture 1: zuvix a fox")
        assert await captions(running) == ["zuvix a fox", "zuvix a cat"]


@pytest.mark.parametrize("word", ["undo", "Отменить!", "отмена", "/packs undo"])
async def test_in_reply_to_a_shown_pack_its_last_change_is_meant(
    stage: Stage, ada: Person, word: str
) -> None:
    """Also if a style was changed later."""
    async with packed(stage, ada) as running:
        before = await ids(ada)
        view = await shown(ada)
        await ada.send("move 3 to 1", reply_to=view)
        await ada.wait_for("is number 1 now")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.album([item(1, "a fox"), item(2, "a cat")])
        await ada.wait_for("2 in all")
        await ada.send("-2")
        await ada.wait_for("Removed: 2")
        await ada.send(word, reply_to=None if word.startswith("/") else view)
        await ada.wait_for("is number 3 of")
        assert await ids(ada) == before
        assert await captions(running) == ["zuvix a fox"]


async def test_cancel_offers_the_last_change_where_nothing_goes_on(stage: Stage, ada: Person) -> None:
    """Whatever it is of; one press takes it back."""
    async with packed(stage, ada, 1) as running:
        await ada.send("/cancel")
        await ada.press(await ada.wait_for("Nothing is going on"), "packundo:")
        await ada.wait_for("the sticker is out of")
        await ada.send("cancel")
        assert not (await ada.wait_for("Nothing is going on")).buttons
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.album([item(1, "a fox"), item(2, "a cat")])
        await ada.wait_for("2 in all")
        await ada.send("-1")
        await ada.wait_for("Removed: 1")
        await ada.send("отмена")
        await ada.press(await ada.wait_for("Shall I take your last change back?"), "undo:")
        await ada.wait_for("Back again: 1")
        assert await captions(running) == ["zuvix a fox", "zuvix a cat"]


@pytest.mark.parametrize("word", ["отменить", "/undo"])
async def test_in_russian(stage: Stage, word: str) -> None:
    """The same, with the word; when nothing is left, that is said."""
    async with PatientPerson.join(stage.playground.address, "Аня", language_code="ru") as anya, stage.bot():
        await anya.send("/new zuvix")
        await anya.wait_for("zuvix создан")
        await anya.album([item(1, "лиса"), item(2, "кот")])
        await anya.wait_for("всего 2")
        await anya.send("-1")
        await anya.wait_for("Убрал: 1")
        await anya.send("/rename bomux")
        await anya.wait_for("теперь зовётся bomux, в подписях тоже")
        for told in ("bomux снова зовётся zuvix", "Отменено в стиле zuvix.\nВернул: 1.", "Отменять нечего"):
            await anya.send(word)
            await anya.wait_for(told)


async def test_what_was_not_begun_is_named(stage: Stage, ada: Person) -> None:
    """A change that waits for Telegram is dropped, and the answer says which."""
    async with packed(stage, ada, 1) as running:
        await running.parts.packs.close()
        stage.monkeypatch.setattr(running.parts.packs, "wake", lambda person: None)
        await ada.send("/packs title Foxes")
        await ada.send("/undo")
        await ada.wait_for("before it was done: the other title")
