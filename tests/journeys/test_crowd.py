"""Several people, and several jobs, at one time."""

from __future__ import annotations

import asyncio
from zlib import crc32

import pytest

from bot.playground import Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.observing import rows, until
from tests.journeys.visitor import (
    PATIENCE,
    arrive,
    captions_in_order,
    check_pack,
    check_sticker,
    collect,
    draw,
    picture,
    train,
)
from tests.patient_person import PatientPerson


async def visit(person: PatientPerson, keyword: str, things: list[str]) -> list[str]:
    """A whole visit at a person's speed: pictures and their words follow each other without waiting for answers."""
    await arrive(person, keyword)
    for thing in things:
        await person.send_picture(picture(crc32(thing.encode())), as_="document")
        await person.send(thing)
    await person.wait_for(f"{keyword} {things[-1]}", PATIENCE)
    captions = await captions_in_order(person)
    await train(person)
    (sticker,) = await draw(person, f"{things[0]} --n 1")
    await person.press(sticker, "add:")
    await person.wait_for("1 sticker added", PATIENCE)
    return captions


async def test_two_people_at_once(bot: BotProcess, playground: Playground, ada: PatientPerson) -> None:
    """Each gets every caption to its own picture, in order, and a pack of the own style; no word of the other's."""
    animals = ["cat of mine", "dog of mine", "hen of mine", "fox of mine", "cow of mine", "pig of mine"]
    fruits = ["fig of ours", "pea of ours", "nut of ours", "kiwi of ours", "plum of ours"]
    async with PatientPerson.join(playground.address, "Ben") as ben:
        hers, his = await asyncio.gather(visit(ada, "zuvix", animals), visit(ben, "quorbel", fruits))
        assert hers == [f"zuvix {animal}" for animal in animals]
        assert his == [f"quorbel {fruit}" for fruit in fruits]
        for person, own, others in (
            (ada, "zuvix", ("quorbel", "of ours")),
            (ben, "quorbel", ("zuvix", "of mine")),
        ):
            told = " ".join(message.text for message in person.messages)
            assert not [word for word in others if word in told]
            (pack,) = await person.packs()
            assert pack["name"].startswith(own)
            await check_pack(person, 1)
    strangers = "SELECT * FROM job JOIN style ON style.id = job.style WHERE style.person != job.person"
    assert rows(bot, strangers) == []


class TestLongTraining:
    @pytest.fixture
    def settings(self, with_worker: Settings) -> Settings:
        """A worker, and a training that takes a while."""
        return with_worker | {"train": {"steps": 100, "checkpoint_steps": 50}}

    async def test_a_sticker_during_a_training(self, bot: BotProcess, ada: PatientPerson) -> None:
        """Whoever asks for a sticker gets it between two steps, long before the training ends; then that ends too."""
        await arrive(ada)
        await collect(ada)
        await ada.send("/train")
        await until(lambda: bool(rows(bot, "SELECT * FROM checkpoint")))
        since = ada.seq
        (sticker,) = await draw(ada, "a fox")
        assert rows(bot, "SELECT state FROM job WHERE kind = 'train'") == [("running",)]
        assert sticker.file_id is not None
        check_sticker(await ada.download(sticker.file_id))
        await ada.wait_for("is ready!", PATIENCE, since=since)
        assert rows(bot, "SELECT state, attempt FROM job WHERE kind = 'train'") == [("done", 1)]
