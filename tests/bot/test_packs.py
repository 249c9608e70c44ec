"""Packs on Telegram's rules, and every sticker in exactly once, whatever goes wrong on the way."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from PIL import Image
from telegram import InputSticker

from bot import pack_record, pack_words, per_person
from bot.pack_news import MOST_REFUSALS
from bot.playground import Fault, Person
from bot.same_picture import same_picture
from bot.tables import drawings, styles
from bot.tables import pack_stickers as rows
from bot.tables import packs as pack_rows
from bot.tables.pack_stickers import Wanted
from bot.tables.packs import Pack, PackState
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import sticker
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_record, "SLOW_SECONDS", 0.5)


@asynccontextmanager
async def drawn(stage: Stage, ada: Person, count: int = 3) -> AsyncIterator[Running]:
    """A bot that has drawn stickers for Ada, whose ids are 1 to ``count``."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await ada.send(f"/sticker a red fox drinking coffee --seed 1 --n {count}")
        await ada.wait_for("seed 1")
        yield running


def stickers(ada: Person) -> list[str]:
    """Telegram's names of the stickers that Ada has been sent, with the labels below them."""
    return [m.buttons[0].label for m in ada.messages if m.kind == "sticker"]


async def test_the_first_sticker_makes_the_pack_and_the_next_go_in(stage: Stage, ada: Person) -> None:
    """Named on Telegram's rules, found by emoji and words of the prompt, linked where it was drawn."""
    async with drawn(stage, ada):
        for message in [m for m in ada.messages if m.kind == "sticker"]:
            await ada.press(message, "add:")
            await ada.wait_for("added to your pack")
        (pack,) = await ada.packs()
        found = await ada.pack(pack["name"])
        assert len(found["stickers"]) == 3
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+_by_playground_bot", pack["name"])
        assert found["stickers"][0]["emoji_list"] == ["🦊"] or "🦊" in found["stickers"][0]["emoji_list"]
        assert "coffee" in found["stickers"][0]["keywords"]
        assert stickers(ada) == ["✓ In your pack"] * 3


async def test_pressing_twice_adds_once(stage: Stage, ada: Person) -> None:
    """The second press says so."""
    async with drawn(stage, ada, 1):
        message = next(m for m in ada.messages if m.kind == "sticker")
        await ada.press(message, "add:")
        await ada.press(message, "add:")
        await ada.wait_for("1 sticker added")
        assert "on its way" in await ada.wait_for_notice() or "on its way" in await ada.wait_for_notice()
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 1


@pytest.mark.parametrize(
    "method", ["uploadStickerFile", "createNewStickerSet", "addStickerToSet", "getStickerSet"]
)
@pytest.mark.parametrize("how", ["drop", "429", "500"])
async def test_no_failure_adds_twice_or_loses_one(stage: Stage, ada: Person, method: str, how: str) -> None:
    """A lost answer, a limit, a server error at each call: three wanted, three in, each once."""
    async with drawn(stage, ada):
        fault = {
            "drop": Fault(method=method, drop=True, times=2),
            "429": Fault(method=method, retry_after=0, times=2),
            "500": Fault(method=method, error=(500, "Internal Server Error"), times=2),
        }[how]
        stage.playground.faults.add(fault)
        await ada.press(next(m for m in ada.messages if m.button("addall")), "addall")
        await ada.wait_for("added to your pack")
        found = [sticker for pack in await ada.packs() for sticker in pack["stickers"]]
        assert len(found) == 3
        assert fault.times < 2, "the fault never befell anything"


async def test_a_kill_after_each_state_adds_once(stage: Stage, ada: Person) -> None:
    """Whatever state the rows were left in, and whether Telegram had heard the call or not."""
    async with drawn(stage, ada, 2) as running:
        store, bot = running.parts.store, running.parts.packs.record.bot
        file = await bot.upload_sticker_file(ada.id, sticker(1), "static")
        assert await rows.want(store, Wanted(person=ada.id, drawing=1))
        await rows.uploaded(store, 1, file.file_id)
        name = f"stickers_x_1_by_{bot.username}"
        new = Pack(id=0, person=ada.id, keyword="", name=name, title="x", state=PackState.NEW, made_at=0)
        plan = await pack_rows.plan(store, new)
        await rows.adding(store, 1, plan.id, [])  # killed here, the call was heard:
        one = InputSticker(file.file_id, pack_words.DEFAULT_EMOJI, "static")
        await bot.create_new_sticker_set(ada.id, plan.name, plan.title, [one])
    async with stage.bot() as running:
        await ada.wait_for("added to your pack")
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 1
        store = running.parts.store
        assert await rows.want(store, Wanted(person=ada.id, drawing=2))
        await rows.uploaded(store, 2, file.file_id)
        inside = [sticker["file_unique_id"] for sticker in pack["stickers"]]
        await rows.adding(store, 2, plan.id, inside)  # killed here, the call was not heard
    async with stage.bot():
        await ada.send("/status")
        await ada.wait_for(lambda m: "1 sticker added" in m.text)
    (pack,) = await ada.packs()
    assert len(pack["stickers"]) == 1  # the very same file: Telegram keeps it once


async def test_a_full_pack_is_followed_by_the_next(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 is Telegram's limit; here two."""
    monkeypatch.setattr(pack_record, "MAX_STICKERS", 2)
    async with drawn(stage, ada):
        await ada.press(next(m for m in ada.messages if m.button("addall")), "addall")
        await ada.wait_for("1 sticker added")
        assert [len(pack["stickers"]) for pack in await ada.packs()] == [2, 1]


async def test_a_pack_deleted_on_telegram_is_made_anew(stage: Stage, ada: Person) -> None:
    """Its owner may delete it at any time; the next sticker finds a new one."""
    async with drawn(stage, ada) as running:
        first, second, _ = [m for m in ada.messages if m.kind == "sticker"]
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        (pack,) = await ada.packs()
        await running.parts.packs.record.bot.delete_sticker_set(pack["name"])
        await ada.press(second, "add:")
        await ada.wait_for("1 sticker added")
        (new,) = await ada.packs()
        assert new["name"] != pack["name"]
        assert len(new["stickers"]) == 1


async def test_an_occupied_name_is_left_alone(stage: Stage, ada: Person) -> None:
    """A set from an earlier database keeps its stickers; ours takes the next name."""
    async with drawn(stage, ada, 1) as running:
        bot = running.parts.packs.record.bot
        taken = pack_words.set_name("", ada.id, 1, bot.username)
        one = InputSticker(sticker(99), ["🎨"], "static")
        await bot.create_new_sticker_set(ada.id, taken, "old", [one])
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "add:")
        await ada.wait_for("1 sticker added")
        assert sorted(len(pack["stickers"]) for pack in await ada.packs()) == [1, 1]


async def test_emoji_that_telegram_does_not_know(stage: Stage, ada: Person) -> None:
    """The default emoji takes their place, and the sticker goes in."""
    async with drawn(stage, ada, 1):
        stage.playground.faults.add(
            Fault(method="createNewStickerSet", error=(400, "Bad Request: invalid sticker emojis"))
        )
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "add:")
        await ada.wait_for("1 sticker added")
        (pack,) = await ada.packs()
        assert (await ada.pack(pack["name"]))["stickers"][0]["emoji_list"] == pack_words.DEFAULT_EMOJI


async def test_a_sticker_refused_for_good_is_told_and_can_be_tried_again(stage: Stage, ada: Person) -> None:
    """No endless loop, no silence; the button works once more."""
    async with drawn(stage, ada, 1):
        message = next(m for m in ada.messages if m.kind == "sticker")
        refusal = Fault(method="createNewStickerSet", error=(400, "Bad Request: STICKER_PNG_DIMENSIONS"))
        stage.playground.faults.add(refusal)
        await ada.press(message, "add:")
        await ada.wait_for("did not take 1 sticker")
        await ada.press(message, "add:")
        await ada.wait_for("1 sticker added")


@pytest.mark.parametrize("text", ["sticker set name is already occupied", "PACK_SHORT_NAME_INVALID"])
async def test_names_that_are_always_refused_end_with_a_word(stage: Stage, ada: Person, text: str) -> None:
    """Three names, then the person is told and may press again."""
    async with drawn(stage, ada, 1):
        refusal = Fault(method="createNewStickerSet", error=(400, f"Bad Request: {text}"), times=99)
        stage.playground.faults.add(refusal)
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "add:")
        await ada.wait_for("refused every name")
        assert refusal.times == 99 - MOST_REFUSALS
        refusal.times = 0
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "add:")
        await ada.wait_for("1 sticker added")


async def test_a_pack_that_appears_late_is_not_made_twice(stage: Stage, ada: Person) -> None:
    """The answer to its making was lost, and for a while nobody sees it."""
    stage.monkeypatch.setattr(pack_record, "SLOW_SECONDS", 60.0)
    async with drawn(stage, ada, 2) as running:
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        stage.playground.faults.add(Fault(method="createNewStickerSet", drop=True))
        invisible = Fault(
            method="getStickerSet", error=(400, "Bad Request: STICKERSET_INVALID"), times=15, skip=1
        )
        stage.playground.faults.add(invisible)
        since = ada.seq
        await ada.press(first, "add:")
        await ada.press(second, "add:")
        await until(lambda: invisible.times == 0)
        await ada.wait_for(lambda m: "added to your pack" in m.text, since=since)
        await until(lambda: running.parts.store.value("SELECT min(told) FROM pack_sticker"))
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 2


async def test_a_new_pack_that_cannot_be_seen_yet_gets_the_next_sticker(stage: Stage, ada: Person) -> None:
    """Its making was confirmed, so it is waited for."""
    stage.monkeypatch.setattr(pack_record, "SLOW_SECONDS", 60.0)
    async with drawn(stage, ada, 2):
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        stage.playground.faults.add(
            Fault(method="getStickerSet", error=(400, "Bad Request: STICKERSET_INVALID"), times=3)
        )
        await ada.press(second, "add:")
        await ada.wait_for("1 sticker added")
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 2


async def test_a_set_that_its_owner_made_longer_is_looked_through(stage: Stage, ada: Person) -> None:
    """The call was not heard, the set grew all the same: the sticker is looked for by its picture."""
    async with drawn(stage, ada, 2) as running:
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        (pack,) = await ada.packs()
        fault = Fault(method="addStickerToSet", error=(500, "Internal Server Error"))
        stage.playground.faults.add(fault)
        stage.monkeypatch.setattr(per_person, "FIRST_PAUSE", 0.6)
        await ada.press(second, "add:")
        await until(lambda: fault.times == 0)
        theirs = InputSticker(sticker(77), ["🎨"], "static")
        await running.parts.packs.record.bot.add_sticker_to_set(ada.id, pack["name"], theirs)
        await ada.wait_for("1 sticker added")
        found = (await ada.pack(pack["name"]))["stickers"]
        assert len(found) == 3
        pictures = [await ada.download(one["file_id"]) for one in found]
        wanted = [await ada.download(str(m.file_id)) for m in (first, second)]
        assert all(any(same_picture(one, other) for other in pictures) for one in wanted)


async def test_an_unheard_addition_is_found_by_its_picture(stage: Stage, ada: Person) -> None:
    """The call was heard and the owner moved its sticker to the front: nothing is added again."""
    async with drawn(stage, ada, 2) as running:
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        (pack,) = await ada.packs()
        stage.monkeypatch.setattr(per_person, "FIRST_PAUSE", 0.6)
        fault = stage.playground.faults.add(Fault(method="addStickerToSet", drop=True))
        await ada.press(second, "add:")
        await until(lambda: fault.done == 1)
        inside = (await ada.pack(pack["name"]))["stickers"]
        await running.parts.packs.record.bot.set_sticker_position_in_set(inside[1]["file_id"], 0)
        await ada.wait_for("1 sticker added")
        assert [call.method for call in stage.playground.calls].count("addstickertoset") == 1
        assert len((await ada.pack(pack["name"]))["stickers"]) == 2


async def test_a_sticker_that_cannot_be_downloaded_shows_nothing(stage: Stage, ada: Person) -> None:
    """The pack is not taken for gone: what was not seen in it is added once more, which changes nothing."""
    async with drawn(stage, ada, 2):
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        stage.playground.faults.add(Fault(method="addStickerToSet", drop=True))
        refused = stage.playground.faults.add(Fault(method="file", error=(404, "Not Found"), times=99))
        await ada.press(second, "add:")
        await ada.wait_for("1 sticker added")
        assert refused.times < 99
        (pack,) = await ada.packs()
        assert len((await ada.pack(pack["name"]))["stickers"]) == 2


async def test_a_lost_file_fails_alone(stage: Stage, ada: Person) -> None:
    """Its person reads that it was not taken; the other one is in."""
    async with drawn(stage, ada, 2) as running:
        first, second = [m for m in ada.messages if m.kind == "sticker"]
        found = await drawings.get(running.parts.store, ada.id, 1)
        assert found is not None
        running.parts.blobs._path(found[0].blob).unlink()
        await ada.press(first, "add:")
        await ada.press(second, "add:")
        await ada.wait_for("did not take 1 sticker")
        await ada.wait_for("1 sticker added")


@pytest.mark.parametrize("quality", [95, 60])
def test_the_same_picture_saved_anew_is_the_same(quality: int) -> None:
    """Telegram may encode again; another drawing is another picture."""
    image = Image.open(io.BytesIO(sticker(3)))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality)
    assert same_picture(sticker(3), out.getvalue())
    assert not same_picture(sticker(3), sticker(4))
    assert not same_picture(sticker(3), b"no picture")


async def test_anothers_sticker_cannot_be_added(stage: Stage, ada: Person) -> None:
    """The number in a button's data does not give access to other people's jobs."""
    async with drawn(stage, ada, 1) as running, PatientPerson.join(stage.playground.address, "Ben") as ben:
        await ben.send("/start")
        await ben.wait_for("/new")
        await ben.send("/sticker a cat --seed 5")
        await ben.wait_for("seed 5")
        assert await drawings.get(running.parts.store, ada.id, 2) is None
        assert await styles.get(running.parts.store, ada.id, 1) is None


@pytest.mark.parametrize("username", ["b_bot", "a_very_long_username_of_32_chars"])
@pytest.mark.parametrize("person", [1, 5_000_000_000, 2**52])
@pytest.mark.parametrize("keyword", ["", "zuvix", "a" * 20, "9__..//x"])
def test_every_name_obeys_the_rules(username: str, person: int, keyword: str) -> None:
    """1-64 characters, starts with a letter, no double underscore, the bot's suffix whole."""
    for number in (1, 999):
        name = pack_words.set_name(keyword, person, number, username)
        assert re.fullmatch(r"[a-z][a-zA-Z0-9_]{0,63}", name)
        assert "__" not in name
        assert name.endswith(f"_by_{username}")
        assert 1 <= len(pack_words.set_title("👩" * 70, keyword, number)) <= 64


def test_names_of_two_people_differ() -> None:
    """Names are global on Telegram."""
    names = {pack_words.set_name("zuvix", person, n, "x_bot") for person in range(1, 50) for n in range(1, 9)}
    assert len(names) == 49 * 8


def test_keywords_obey_the_limits() -> None:
    """At most 20, at most 64 characters in all, no small words, none twice; the style's keyword is the first."""
    found = pack_words.keywords_for("a red fox, a red fox & the coffee", "zuvix", "en")
    assert found[0] == "zuvix"
    assert {"red", "fox", "coffee"} <= set(found)
    assert not {"a", "the"} & set(found)
    many = pack_words.keywords_for(" ".join(f"word{n}" for n in range(60)), "z" * 20, "en")
    assert len(many) <= 20
    assert sum(map(len, many)) <= 64
    assert pack_words.emoji_for("xyzzy plugh", "en") == pack_words.DEFAULT_EMOJI


def test_emoji_and_keywords_of_a_prompt_in_another_language() -> None:
    """A car is a car; the person's words and the English ones."""
    assert pack_words.emoji_for("a car", "en")[0] == "🚗"
    assert pack_words.emoji_for("лиса пьёт кофе", "ru")[:2] == ["🦊", "☕"]
    assert {"лиса", "fox", "кофе", "coffee"} <= set(pack_words.keywords_for("лиса пьёт кофе", "", "ru"))
