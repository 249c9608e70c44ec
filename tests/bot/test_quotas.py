"""What one person may take: counted in rows, told with the limit and when it is free again, other for admins."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot import bursts as module
from bot.bursts import Bursts
from bot.config import Access, AdminLimits, Limits, Quotas
from bot.playground import Person, Picture
from bot.sender import Sender
from bot.store import Store
from bot.tables import inbox, jobs, people, usage
from bot.tables.jobs import JobKind, JobState
from bot.tables.usage import DAY
from bot.tidy import Tidy
from lora.jobs import DrawOptions
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held, picture
from tests.bot.sample_pictures import drawing
from tests.bot.trainings import ready_to_train, trained
from tests.waiting import until_async


async def test_one_person_cannot_fill_the_line(stage: Stage, ada: Person) -> None:
    """The fourth job waits in the person's head."""
    async with stage.bot(held()) as running:
        for number in range(4):
            await ada.send(f"/sticker fox {number}")
        await ada.wait_for("3 things going on already")
        assert len(await jobs.active(running.parts.store)) == 3


async def test_pictures_of_a_day(stage: Stage, ada: Person) -> None:
    """What is left is told; a restart and /forgetme forget nothing; the next day all is free again."""
    limits = Limits(pictures_per_day=3)
    async with stage.bot(limits=limits):
        await ada.send("/sticker a fox --seed 1 --n 2")
        await ada.wait_for("seed 1–2")
        await ada.send("/sticker a cat --n 2")
        told = await ada.wait_for("3 pictures are the most for one day, and you have 1 left")
        assert " in " in told.text
    async with stage.bot(limits=limits) as running:
        await ada.send("/sticker a cat --seed 3")
        await ada.wait_for("a cat · CFG 5 · seed 3")
        await ada.send("/forgetme")
        await ada.press(await ada.wait_for("cannot be undone"), "forget:rows")
        await ada.wait_for("I have deleted everything")
        await ada.send("/sticker a dog")
        await ada.wait_for("I draw more for you in ")
        await running.parts.store.change("UPDATE usage SET day = day - 1")
        await ada.send("/sticker a dog --seed 4")
        await ada.wait_for("a dog · CFG 5 · seed 4")
        await usage.forget_old(running.parts.store)
        assert await running.parts.store.value("SELECT count(*) FROM usage") == 1


async def test_trainings_of_a_day(stage: Stage, ada: Person) -> None:
    """The second one waits for tomorrow, unless the first has failed by itself."""
    async with ready_to_train(stage, ada, limits=Limits(trainings_per_day=1)) as running:
        await trained(ada)
        await ada.send("/train")
        await ada.wait_for("1 training is the most for one day. The next one can start in ")
        await ada.send_picture(picture(128, 128, 77), as_="document")
        await ada.wait_for("6 in all")
        await ada.send("/train")  # that a caption is lacking is said when it is of use
        await ada.wait_for("1 training is the most for one day.")
        await ada.send("a fox")
        await ada.wait_for("Picture 6: zuvix a fox")
        await running.parts.store.change("UPDATE usage SET day = day - 1")
        await trained(ada)


async def test_admins_have_limits_of_their_own(stage: Stage, ada: Person) -> None:
    """None by default; else what the operator has set for them."""
    tables: dict[str, Any] = {
        "access": Access(admins=(ada.id,)),
        "limits": Limits(pictures_per_day=1, jobs_per_person=1),
    }
    async with stage.bot(**tables):
        await ada.send("/sticker a fox --seed 1 --n 4")
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")
    async with stage.bot(**tables, admin_limits=AdminLimits(pictures_per_day=6)):
        await ada.send("/sticker a dog --n 4")
        await ada.wait_for("6 pictures are the most for one day, and you have 1 left")


async def test_limits_of_styles_pictures_and_bytes(stage: Stage, ada: Person) -> None:
    """Styles, pictures and bytes; the picture that is too much is told like any that is refused, and not fetched."""
    limits = Limits(styles=1, samples=2)
    async with stage.bot(limits=limits) as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send("/new bomux")
        await ada.wait_for("1 style is the most that I keep")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix")
        for number in range(2):
            await ada.send_picture(picture(64, 64, number), as_="document", caption="a fox")
        await ada.wait_for("2 in all")
        fetched = len([call for call in stage.playground.calls if call.method.lower() == "getfile"])
        await ada.send_picture(picture(64, 64, 3), as_="document", caption="a fox")
        await ada.wait_for("2 pictures are the most that I keep")
        assert len([call for call in stage.playground.calls if call.method.lower() == "getfile"]) == fetched
        size = sum(len(picture(64, 64, number)) for number in range(2))
        assert await usage.kept_bytes(running.parts.store, ada.id) == size
        await running.parts.store.change("UPDATE sample SET bytes = NULL")
        await Tidy(store=running.parts.store, blobs=running.parts.blobs, storage=stage.config.storage).tidy()
        assert await usage.kept_bytes(running.parts.store, ada.id) == size
        await running.parts.store.change("UPDATE sample SET bytes = 1000000000")
    async with stage.bot(limits=Limits(megabytes=1000)):
        await ada.send_picture(picture(64, 64, 3), as_="document", caption="a fox")
        await ada.wait_for("take 1000 MB, the most that I keep")


async def test_jobs_are_counted_by_the_database(store: Store) -> None:
    """Asked for once, counted once; a failure and a cancelled wait are counted back; times are written down."""
    await people.see(store, id=1, name="x", language="en")

    async def ask(origin: str, count: int) -> None:
        options = DrawOptions(count=count)
        await jobs.ask_draw(
            store,
            person=1,
            origin=origin,
            style=None,
            adapter=None,
            keyword="",
            prompt="x",
            options=options,
            note=None,
        )

    await ask("a", 4)
    await ask("a", 4)
    await ask("b", 2)
    assert await usage.used_today(store, 1, JobKind.DRAW) == 6
    first = await jobs.claim(store, JobKind.DRAW)
    assert first is not None
    begun = await jobs.get(store, first.id)
    assert begun is not None
    assert begun.asked_at == pytest.approx(time.time(), abs=60)
    assert begun.started_at == pytest.approx(time.time(), abs=60)
    await jobs.end(store, first.id, first.attempt, JobState.FAILED, "internal")
    assert await usage.used_today(store, 1, JobKind.DRAW) == 2
    second = await jobs.by_origin(store, 1, "b")
    assert second is not None
    await jobs.cancel(store, 1, second.id)
    assert await usage.used_today(store, 1, JobKind.DRAW) == 0
    await ask("part", 3)
    part = await jobs.claim(store, JobKind.DRAW)
    assert part is not None
    drawing = "INSERT INTO drawing (job, position, seed, blob) VALUES (?, 0, 1, 'x')"
    await store.change(drawing, part.id)
    await jobs.end(store, part.id, part.attempt, JobState.FAILED, "internal")
    assert await usage.used_today(store, 1, JobKind.DRAW) == 1, "one of three was drawn"
    await ask("c", 1)
    third = await jobs.claim(store, JobKind.DRAW)
    assert third is not None
    await jobs.cancel(store, 1, third.id)
    assert await usage.used_today(store, 1, JobKind.DRAW) == 2, "it has begun"
    assert 0 < usage.seconds_until_tomorrow() <= DAY


class Silent(Sender):
    """Notes what people are told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def text_once(self, person: int, text: str) -> None:
        self.said.append(text)


def update(number: int, person: int = 7, **parts: object) -> dict[str, object]:
    user = {"id": person, "is_bot": False, "first_name": "x"}
    chat = {"id": person, "type": "private"}
    return {"update_id": number, "message": {"message_id": number, "from": user, "chat": chat} | parts}


async def test_a_burst_is_cut_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By person, uploads apart from texts; told once; a restart goes on counting; after a minute it is over."""
    limits = Quotas(updates_per_minute=5, uploads_per_minute=2)
    sender = Silent()

    async def begun() -> Bursts:
        bursts = Bursts(limits_of=lambda person: limits, store=store, sender=sender)
        await bursts.load()
        return bursts

    bursts = await begun()
    uploads = [update(number, photo=[]) for number in range(4)]
    texts = [update(number, text="x") for number in range(4, 9)]
    kept = await bursts.sift([*uploads, *texts, update(9, person=8, text="x")])
    assert [one["update_id"] for one in kept] == [0, 1, 4, 5, 6, 9]
    assert len(sender.said) == 1
    assert "2 pictures a minute are the most" in sender.said[0]
    assert "in 1 minute" in sender.said[0]
    await inbox.put(store, [(7, one) for one in kept if one["update_id"] != 9])
    bursts = await begun()
    assert await bursts.sift([update(10, text="x")]) == []
    assert "5 messages a minute are the most" in sender.said[1]
    await store.change(
        "UPDATE inbox SET received_at = received_at + 3600"
    )  # the clock was set back by an hour
    bursts = await begun()
    assert await bursts.sift([update(10, text="x")]) == []
    assert "in 1 minute" in sender.said[2]
    monkeypatch.setattr(module, "WINDOW_SECONDS", 0.0)
    assert len(await bursts.sift([update(11, photo=[])])) == 1


async def test_a_burst_in_the_chat(stage: Stage, ada: Person) -> None:
    """What came after is not stored, and the person reads it."""
    async with stage.bot(limits=Limits(updates_per_minute=3)) as running:
        since = ada.seq
        for _ in range(5):
            await ada.send("/help")
        await ada.wait_for("3 messages a minute are the most", since=since)  # it may come before the fifth

        async def three_are_stored() -> bool:
            return bool(await running.parts.store.value("SELECT count(*) FROM inbox") == 3)

        await until_async(three_are_stored)


async def test_a_pack_stops_at_the_limit(stage: Stage, ada: Person) -> None:
    """What fits is taken, and the message of the import says why it ended."""
    async with stage.bot(limits=Limits(samples=2)):
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        stickers = [Picture(data=drawing(n), name="a.png", as_="sticker", emoji="🦊") for n in range(4)]
        await ada.publish("Foxes", "All foxes", stickers)
        await ada.send("/pack Foxes")
        told = await ada.wait_for("2 pictures are the most that I keep")
        assert "2 in all" in told.text
