"""Groups: the bot draws for whoever asks, keeps what is private to the private chat, and else is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.playground import Person
from lora.jobs import Draw
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.bot.trainings import fill, trained
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


@pytest.fixture
async def ben(stage: Stage) -> AsyncIterator[Person]:
    """Somebody who has never written to the bot."""
    async with PatientPerson.join(stage.playground.address, "Ben") as person:
        yield person


async def test_each_is_drawn_for_in_their_own_style(stage: Stage, ada: Person, ben: Person) -> None:
    """The answer is a reply in the group. The buttons below a sticker are its person's alone."""
    group = await ada.group("Friends", ben)
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as ada_there,
        PatientPerson.join(stage.playground.address, id=ben.id, chat=group) as ben_there,
    ):
        await fill(ada, [(picture(128, 128, number), f"fox {number}") for number in range(5)])
        await trained(ada)
        sent = await ada_there.send("/sticker@playground_bot a fox --seed 1")
        told = await ada_there.wait_for("seed 1")
        assert told.raw["reply_to_message"]["message_id"] == sent.id
        await ben_there.send("/sticker a cat --seed 2")
        await ben_there.wait_for("seed 2")
        drawn = [job for job in running.engine.jobs if isinstance(job, Draw)]
        assert [(job.prompt, job.adapter is None) for job in drawn] == [
            ("zuvix a fox", False),
            ("a cat", True),
        ]
        sticker = next(m for m in ben_there.messages if m.kind == "sticker" and m.button("add:1"))
        await ben_there.press(sticker, "again:")
        assert "somebody else's" in await ben_there.wait_for_notice()
        await ben_there.send("thanks!", reply_to=sticker)
        await ben_there.send("--seed 3", reply_to=sticker)
        await ben_there.wait_for("a fox · CFG 5 · seed 3")
        assert len([job for job in running.engine.jobs if isinstance(job, Draw)]) == 3  # none of thanks
        assert not [m for m in ada.messages if m.kind == "sticker"]


async def test_what_is_private_is_sent_to_the_private_chat(stage: Stage, ada: Person) -> None:
    """With a button that opens it; talk among people, and commands of other bots, get no answer at all."""
    group = await ada.group("Friends")
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        hello = await there.send("hello all")
        await there.send("/sticker@other_bot a fox")
        await there.send("nice", reply_to=hello)
        await there.send("/unheardof")
        assert await running.parts.store.value("SELECT count(*) FROM person") == 0
        await there.send("/samples")
        told = await there.wait_for("between you and me")
        assert told.raw["reply_markup"]["inline_keyboard"][0][0]["url"] == (
            "https://t.me/playground_bot?start=group"
        )
        await there.send("/sticker a fox --cfg 99")
        wrong = await there.wait_for("takes a number from 1 to 20")
        assert "reply_to_message" in wrong.raw
        assert len([m for m in there.messages if m.from_bot]) == 2
        await ada.send("/start group")
        await ada.wait_for("Hello Ada")


async def test_a_bot_that_was_removed_goes_on_elsewhere(stage: Stage, ada: Person) -> None:
    """What was asked for in the group ends quietly; the person has not blocked the bot."""
    group = await ada.group("Friends")
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        await there.send("/sticker a fox --seed 1")
        await there.wait_for("seed 1")
        running.engine.go.clear()
        await there.send("/sticker a dog --seed 2")
        await until(lambda: len(running.engine.jobs) == 2)
        await there.remove_bot()
        running.engine.go.set()
        await ada.send("/sticker a cat --seed 3")
        await ada.wait_for("a cat · CFG 5 · seed 3")
        assert await running.parts.store.value("SELECT blocked FROM person") == 0


async def test_what_a_channel_posts_is_nobodys_wish(stage: Stage, ada: Person) -> None:
    """Telegram forwards a channel's posts into its group, in the name of one account for all channels."""
    group = await ada.group("Friends")
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        hello = await there.send("hello all")
        telegram = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
        channel = {"id": -1001, "type": "channel", "title": "Foxes"}
        post = hello.raw | {"message_id": 900_000, "from": telegram, "sender_chat": channel}
        for more in ({"text": "/sticker a hen"}, {"text": "/samples", "message_id": 900_001}):
            stage.playground.world.updates.add("message", post | {"is_automatic_forward": True} | more)
        await there.send("/sticker a fox")
        await running.engine.given(Draw, "a fox")
        assert [job.prompt for job in running.engine.jobs if isinstance(job, Draw)] == ["a fox"]
        assert await running.parts.store.value("SELECT count(*) FROM person") == 1
