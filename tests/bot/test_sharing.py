"""A shared style: others draw in it and see nothing else of it, and its owner ends that whenever they like."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator

import pytest

from bot.playground import Message, Person
from bot.tables import erasures
from lora.jobs import Draw
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import visit, words_in
from tests.bot.test_erasure import erased, forget, places_of
from tests.patient_person import PatientPerson
from tests.waiting import until_async


@pytest.fixture
async def bob(stage: Stage) -> AsyncIterator[Person]:
    """Somebody who gets a link."""
    async with PatientPerson.join(stage.playground.address, "Bob") as person:
        yield person


async def link_of(ada: Person) -> tuple[Message, str]:
    """/share: the message, and what its link sends."""
    await ada.send("/share")
    shown = await ada.wait_for("Whoever opens this link")
    found = re.search(r"https://t\.me/\w+\?start=(\S+)", shown.text)
    assert found
    return shown, f"/start {found[1]}"


async def test_a_guest_draws_and_sees_nothing_else(stage: Stage, ada: Person, bob: Person) -> None:
    """The style is among theirs as one that is shared; pictures, captions, files and changes are the owner's."""
    async with stage.bot() as running:
        await visit(stage, ada)
        shown, start = await link_of(ada)
        assert "0 people draw" in shown.text
        await bob.send(start)
        await bob.wait_for("You can draw in the style zuvix now")
        await bob.send("/sticker a red fox --seed 3")
        told = await bob.wait_for("seed 3")
        assert "zuvix, which is shared with you" in told.text
        assert running.engine.draw().prompt == "zuvix a red fox"
        assert running.engine.draw().adapter is not None
        for command in ("/samples", "/train", "/check", "/delete", "/share", "/rename bomux", "-1"):
            await bob.send(command)
            answer = await bob.wait_for("only its owner sees")
            assert "qapla" not in answer.text
        await bob.send_picture(b"x", as_="document")
        await bob.wait_for("only its owner sees")
        await bob.send("/styles")
        assert "▸ 🔗 zuvix: shared with you by link" in (await bob.wait_for("Your styles")).text
        await bob.send("/status")
        await bob.wait_for("Style zuvix, shared with you by link")
        await ada.send("/styles")
        await ada.wait_for("shared, 1 person draws in it")
        sticker = next(message for message in bob.messages if message.kind == "sticker")
        await bob.press(sticker, "add:")
        await bob.wait_for("1 sticker added")
        (pack,) = await bob.packs()
        assert "zuvix" not in pack["name"], "what the owner calls the style is not in the names of others"
        await ada.send("/rename bomux")
        await ada.wait_for("zuvix is called bomux now")
        await bob.send("/sticker a bomux cat --seed 4")
        told = await bob.wait_for("seed 4")
        assert "In bomux, which is shared with you" in told.text
        assert "zuvix" not in told.text, "people read the name, not what the adapter was trained with"
        assert running.engine.draw().prompt == "zuvix a cat"


async def test_the_same_name_is_not_mixed_up(stage: Stage, ada: Person, bob: Person) -> None:
    """Who has a style of that name has two, switches between them, and keeps each."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await bob.send("/new zuvix")
        await bob.wait_for("zuvix is open")
        _, start = await link_of(ada)
        await bob.send(start)
        await bob.wait_for("You can draw in the style")
        await bob.send("/styles")
        shown = await bob.wait_for("Your styles")
        assert "• zuvix: no pictures yet" in shown.text
        assert "▸ 🔗 zuvix" in shown.text
        await bob.press(shown, "style:2")
        await bob.wait_for("You are in style zuvix now: no pictures yet")
        await bob.press(shown, "🔗 zuvix")
        await bob.wait_for("which is shared with you")
        await bob.press(shown, "leave:")
        await bob.wait_for("not among your styles any more")
        await bob.send("/sticker a fox --seed 1")
        await bob.wait_for("your style: it is not trained yet")
        assert await running.parts.store.value("SELECT count(*) FROM style") == 2


async def test_the_owner_ends_it(stage: Stage, ada: Person, bob: Person) -> None:
    """Open jobs of guests end with a word, in the worker too; the owner's go on. Drawn stickers stay drawn."""
    engine = FakeEngine()
    async with stage.bot(engine):
        await visit(stage, ada)
        shown, start = await link_of(ada)
        await bob.send(start)
        await bob.wait_for("You can draw in the style")
        await bob.send("/sticker a cat --seed 5")
        await bob.wait_for("seed 5")
        engine.go.clear()
        await bob.send("/sticker a red fox --seed 3")
        await engine.given(Draw, "a red fox", seed=3)
        await ada.send("/sticker a dog --seed 8")
        await engine.given(Draw, "a dog", seed=8)
        await ada.send("/share")
        older = await ada.wait_for("shared by a link. 1 person draws")
        await ada.press(shown, "share:end")
        await ada.wait_for("1 person has lost it")
        await bob.wait_for("This style is not shared with you any more, so I have stopped")
        await bob.wait_for("zuvix is not shared with you any more. The stickers")
        engine.go.set()
        await ada.wait_for("seed 8")
        sticker = next(message for message in bob.messages if message.kind == "sticker")
        await bob.press(sticker, "add:")
        await bob.wait_for("1 sticker added")
        await bob.press(sticker, "again:")
        await bob.wait_for("That style is not here any more")
        await bob.send(start)
        await bob.wait_for("That link does not work any more")
        await ada.press(older, "share:renew")
        await ada.wait_for("zuvix is not shared")


async def test_links_are_renewed_and_not_guessed(stage: Stage, ada: Person, bob: Person) -> None:
    """A new link makes the old one worthless. It is shown once: the database cannot tell it."""
    async with stage.bot() as running:
        await visit(stage, ada)
        shown, start = await link_of(ada)
        token = start.split("_", 1)[1]
        assert len(token) >= 22
        (row,) = await running.parts.store.rows("SELECT * FROM share")
        assert row["token_hash"] == hashlib.sha256(token.encode()).hexdigest()
        assert token not in str(tuple(row))
        await ada.send("/share")
        again = await ada.wait_for("zuvix is shared by a link")
        assert "start=" not in again.text
        await ada.send(start)
        await ada.wait_for("your own style")
        await ada.press(shown, "share:renew")
        await ada.wait_for(lambda message: "start=" in message.text and start.split()[1] not in message.text)
        await bob.send(start)
        await bob.wait_for("does not work any more")
        await bob.send("/start s_aaaaaaaaaaaaaaaaaaaaaa")
        await bob.wait_for("does not work any more")


async def test_forgetting_a_shared_style(stage: Stage, ada: Person, bob: Person) -> None:
    """The owner's leaves nothing of the style with guests but what they drew; a guest's leaves the owner's style."""
    async with stage.bot() as running:
        store = running.parts.store
        await visit(stage, ada)
        _, start = await link_of(ada)
        async with PatientPerson.join(stage.playground.address, "Eve") as eve:
            for guest in (bob, eve):
                await guest.send(start)
                await guest.wait_for("You can draw in the style")
            await bob.send("/sticker a red fox --seed 3")
            await bob.wait_for("seed 3")
            await forget(eve, "forget:rows")
            await erased(store, eve.id)
            assert await places_of(store, eve.id) == []
            await ada.send("/styles")
            await ada.wait_for("shared, 1 person draws in it")
            await forget(ada, "forget:rows")
            await bob.wait_for("zuvix is not shared with you any more")
        await erased(store, ada.id)
        await until_async(lambda: store.value("SELECT count(*) = 0 FROM outbox"))
        assert await places_of(store, ada.id) == []
        assert await words_in(store) == []
        left = [str(dict(row)) for row in await store.rows("SELECT * FROM job")]
        assert len(left) == 1
        assert "zuvix" not in left[0]
        sticker = next(message for message in bob.messages if message.kind == "sticker")
        await bob.press(sticker, "add:")
        await bob.wait_for("1 sticker added")


async def test_a_style_is_renamed(stage: Stage, ada: Person) -> None:
    """Its captions say the new keyword, its drawings are still asked for with the one that it was trained with."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await ada.send("/rename bomux")
        await ada.wait_for("zuvix is called bomux now")
        captions = await running.parts.store.rows("SELECT caption FROM sample")
        assert all(row[0].startswith("bomux a fox, qapla") for row in captions)
        await ada.send("/sticker a dog --seed 8")
        told = await ada.wait_for("seed 8")
        assert told.text.startswith("bomux a dog")
        assert running.engine.draw().prompt == "zuvix a dog"
        await ada.press([m for m in ada.messages if m.kind == "sticker"][-1], "add:")
        await ada.wait_for("1 sticker added")
        assert len(await ada.packs()) == 1, "it goes into the pack that the style had"
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        for wrong, answer in (
            ("bomux", "already"),
            ("fox", "is known to me"),
            ("", "How shall zuvix be called"),
        ):
            await ada.send(f"/rename {wrong}")
            await ada.wait_for(answer)
        assert await erasures.people(running.parts.store) == []
