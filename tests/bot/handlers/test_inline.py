"""Inline queries: in any chat, a person's own stickers by their words or emoji."""

from __future__ import annotations

import pytest

from bot.handlers import inline
from bot.playground import Person
from lora.jobs import Draw
from tests.bot.conftest import Stage
from tests.patient_person import PatientPerson


async def test_a_persons_own_stickers_are_found(stage: Stage, ada: Person) -> None:
    """By words in either language, typed in part, and by emoji; what is sent is no sample of theirs."""
    async with stage.bot(), PatientPerson.join(stage.playground.address, "Ben") as ben:
        for number, prompt in enumerate(("a red fox drinking coffee", "сонный кот", "a house")):
            await ada.send(f"/sticker {prompt} --seed {number}")
            await ada.wait_for(f"seed {number}")
        found = {}
        for query in ("fox", "лиса", "cof", "🐱", "cat", "кот дом", "", "submarine"):
            found[query] = [id for id, _ in (await ada.inline(query)).results]
        assert found == {
            "fox": ["1"],
            "лиса": ["1"],
            "cof": ["1"],
            "🐱": ["2"],
            "cat": ["2"],
            "кот дом": ["3", "2"],
            "": ["3", "2", "1"],
            "submarine": [],
        }
        offer = await ada.inline("fox")
        sent = await ada.choose(offer, "1")
        assert sent.raw["via_bot"]["username"] == "playground_bot"
        await ada.send("/status")
        told = await ada.wait_for("You have no style yet")
        assert [m.id for m in ada.messages if m.from_bot and m.id > sent.id] == [told.id]
        await ben.send("/start")
        await ben.wait_for("Hello Ben")
        assert (await ben.inline("fox")).results == ()


async def test_emoji_and_words_of_a_pack_find_a_sticker(stage: Stage, ada: Person) -> None:
    """Also those that the person has given it later."""
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello")
        await ada.send("/sticker a red fox --seed 1")
        await ada.wait_for("seed 1")
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "add:")
        await ada.wait_for("added to your pack")
        for order, done in (("words 1 пятница, holiday", "holiday"), ("emoji 1 🐙", "for 🐙 now")):
            await ada.send(f"/packs {order}")
            await ada.wait_for(done)
        for query in ("Пятни", "holiday", "🐙", "fox"):
            assert [id for id, _ in (await ada.inline(query)).results] == ["1"], query
        assert (await ada.inline("monday")).results == ()


async def test_what_was_typed_is_drawn_with_one_tap(stage: Stage, ada: Person) -> None:
    """The button's /start carries a code; it works for who has typed the words, as often as they like."""
    async with stage.bot() as running, PatientPerson.join(stage.playground.address, "Ben") as ben:
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        offer = await ada.inline("a green dragon --seed 5")
        assert offer.label == "Draw “a green dragon --seed 5”"
        await ada.send(f"/start {offer.parameter}")
        await ada.wait_for("a green dragon · CFG 5 · seed 5")
        assert isinstance(running.engine.jobs[0], Draw)
        await ben.send(f"/start {offer.parameter}")
        await ben.wait_for("do not remember those words")


async def test_somebody_unknown_is_offered_the_private_chat(stage: Stage, ada: Person) -> None:
    """And nothing is stored of them."""
    async with stage.bot() as running:
        offer = await ada.inline("fox")
        assert (offer.results, offer.label, offer.parameter) == ((), "Begin in a chat with me", "inline")
        assert await running.parts.store.value("SELECT count(*) FROM person") == 0
        assert await running.parts.store.value("SELECT count(*) FROM wish") == 0


async def test_many_stickers_come_page_by_page(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telegram asks for what follows as the person scrolls."""
    monkeypatch.setattr(inline, "PAGE", 2)
    async with stage.bot():
        await ada.send("/sticker a fox --n 3 --seed 1")
        await ada.wait_for("seed 1–3")
        first = await ada.inline("fox")
        rest = await ada.inline("fox", offset=first.next_offset)
        assert [id for id, _ in (*first.results, *rest.results)] == ["3", "2", "1"]
        assert rest.next_offset == ""
