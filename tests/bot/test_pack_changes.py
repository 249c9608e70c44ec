"""What people change in their packs is changed once, can be taken back, and follows what Telegram shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from telegram import InputSticker

from bot import pack_record
from bot.playground import Fault, Message, Person
from bot.tables import pack_changes, pack_stickers
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import picture, sticker
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_record, "SLOW_SECONDS", 0.3)


@asynccontextmanager
async def packed(stage: Stage, ada: Person, count: int = 3) -> AsyncIterator[Running]:
    """A bot that has drawn stickers for Ada, all of them in her pack: of a fox with a coffee, seeds 1 to ``count``."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await ada.send(f"/sticker a red fox drinking coffee --seed 1 --n {count}")
        await ada.wait_for("seed 1")
        if count > 1:
            await ada.press(next(m for m in ada.messages if m.button("addall")), "addall")
        else:
            await ada.press(drawings_of(ada)[0], "add:")
        await ada.wait_for("added to your pack")
        yield running


def drawings_of(person: Person) -> list[Message]:
    return [m for m in person.messages if m.kind == "sticker"]


async def labelled(person: Person, place: int, label: str) -> bool:
    """Whether a drawing has such a button by now."""
    await person.read()
    return drawings_of(person)[place].button(label) is not None


async def stickers(person: Person, place: int = 0) -> list[dict[str, Any]]:
    """The stickers of one of the person's packs as Telegram has them, with all emoji and words."""
    found: list[dict[str, Any]] = (await person.packs())[place]["stickers"]
    return found


async def ids(person: Person, place: int = 0) -> list[str]:
    return [one["file_unique_id"] for one in await stickers(person, place)]


async def shown(person: Person, listed: str = "Your packs") -> Message:
    """The pack, opened with its button on /packs."""
    await person.send("/packs")
    await person.press(await person.wait_for(listed), "pack:")
    return await person.wait_for(lambda m: m.kind == "photo" and m.button("item:") is not None)


async def done(person: Person, text: str, since: int) -> Message:
    return await person.wait_for(lambda m: text in m.text, since=since)


def words_on(message: Message) -> list[str]:
    return [button.label for button in message.buttons]


@pytest.mark.parametrize("words", ["delete 3", "/delete 3", "/удали 3"])
async def test_words_that_could_mean_a_picture_or_a_sticker(stage: Stage, ada: Person, words: str) -> None:
    """The bot asks. In reply to the shown pack they mean its sticker, with a slash too."""
    async with packed(stage, ada):
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a fox")
        await ada.wait_for("1 in all")
        before = await ids(ada)
        await ada.send(words)
        assert "reply to it with delete 3" in (await ada.wait_for("What shall I remove?")).text
        await ada.send(words, reply_to=await shown(ada))
        await ada.wait_for("Sticker 3 is out of")
        assert await ids(ada) == before[:2]


@pytest.mark.parametrize("words", ["delete 1", "-1", "удали 1"])
async def test_orders_in_reply_to_what_is_said_of_packs(stage: Stage, ada: Person, words: str) -> None:
    """The list of packs and the news of one are about packs, so no sample goes; other words are a caption."""
    async with packed(stage, ada) as running:
        news = await ada.wait_for("added to your pack")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send_picture(picture(128, 128, 1), as_="document")
        await ada.wait_for("1 in all")
        before = await ids(ada)
        await ada.send(words, reply_to=news)
        news = await ada.wait_for("Sticker 1 is out of")
        await ada.send("emoji 1 🐙", reply_to=news)
        await ada.wait_for("for 🐙 now")
        await ada.send("emoji 1 🦊")
        await ada.wait_for("for 🦊 now")
        await ada.send("/packs")
        listed = await ada.wait_for("Your packs")
        await ada.send(words, reply_to=listed)
        await ada.wait_for("Sticker 1 is out of")
        assert await ids(ada) == before[2:]
        await ada.send("/packs new Cats")
        await ada.wait_for("go into Cats")
        await ada.send("/packs")
        listed = await ada.wait_for("Your packs")
        await ada.send("title Foxes", reply_to=listed)
        await ada.wait_for("In which pack?")
        await ada.send("undo", reply_to=listed)
        await ada.wait_for("the sticker is in")
        await ada.send("a fox", reply_to=news)
        await ada.wait_for("Picture 1: zuvix a fox")
        assert await running.parts.store.value("SELECT count(*) FROM sample") == 1


async def test_several_stickers_are_deleted_at_once(stage: Stage, ada: Person) -> None:
    """By the numbers that were seen; undo brings back one after the other."""
    async with packed(stage, ada):
        before = await ids(ada)
        await ada.send("удали 1, 3", reply_to=await shown(ada))
        await ada.wait_for("Sticker 3 is out of")
        await ada.wait_for("Sticker 1 is out of")
        assert await ids(ada) == before[1:2]
        await ada.send("/undo")
        await ada.wait_for("Taken back")


async def test_a_sticker_is_deleted_and_comes_back_as_it_was(stage: Stage, ada: Person) -> None:
    """The view is edited, the drawing's button follows; undone, it stands at its place with its emoji and words."""
    async with packed(stage, ada) as running:
        before = await stickers(ada)
        view = await shown(ada)
        assert [label for label in words_on(view) if label.isdigit()] == ["1", "2", "3"]
        await ada.press(view, "2")
        view = await ada.wait_for("sticker 2 of 3")
        assert "Found by: " in view.text
        await ada.press(view, "✕ Delete")
        told = await ada.wait_for("Sticker 2 is out of")
        assert told.id == view.id
        assert await ids(ada) == [before[0]["file_unique_id"], before[2]["file_unique_id"]]
        await until(lambda: labelled(ada, 1, "Add to pack"))
        await ada.send("/undo")
        await ada.wait_for("Taken back")
        await until(lambda: at_place(ada, 1, before[1]["emoji_list"]))
        back = await stickers(ada)
        assert len(back) == 3
        assert back[1]["keywords"] == before[1]["keywords"]
        assert await ada.download(back[1]["file_id"]) == await ada.download(before[1]["file_id"])
        await until(lambda: labelled(ada, 1, "In your pack"))
        assert await running.parts.store.value("SELECT count(*) FROM pack_sticker") == 3


async def at_place(person: Person, place: int, emoji: list[str]) -> bool:
    found = await stickers(person)
    return len(found) == 3 and found[place]["emoji_list"] == emoji


SAID = [
    ("move 3 to 1", "number 1 now", lambda s: s[0]["file_unique_id"]),
    ("emoji 2 🐙🦊", "🐙", lambda s: s[1]["emoji_list"]),
    ("words 2 octopus, the sea", "the sea", lambda s: s[1]["keywords"]),
    ("delete 2", "is out of", len),
]


@pytest.mark.parametrize("orders", [SAID[:2], SAID[2:]])
async def test_plain_words_change_what_was_seen_last(
    stage: Stage, ada: Person, orders: list[tuple[str, str, Callable[[list[dict[str, Any]]], object]]]
) -> None:
    """In reply to the shown pack and with /packs; each change is undone, the last one first."""
    async with packed(stage, ada):
        view = await shown(ada)
        seen = []
        for number, (order, answer, of) in enumerate(orders):
            seen.append(of(await stickers(ada)))
            if number % 2:
                await ada.send(f"/packs {order}")
            else:
                await ada.send(order, reply_to=view)
            await ada.wait_for(answer)
            assert of(await stickers(ada)) != seen[-1]
        for (_, _, of), old in zip(reversed(orders), reversed(seen), strict=True):
            await ada.send("/undo")
            await ada.wait_for("Taken back")
            await until(lambda of=of, old=old: same(ada, of, old))  # type: ignore[misc]
        await ada.send("/undo")  # the additions come next
        await ada.wait_for("Taken back")
        assert len(await stickers(ada)) == 2


async def same(person: Person, of: Callable[[list[dict[str, Any]]], object], old: object) -> bool:
    return of(await stickers(person)) == old


async def test_a_wait_before_the_bot_may_look(stage: Stage, ada: Person) -> None:
    """A number that is not on record yet: a short wait is waited out, of a long one the person reads."""
    async with packed(stage, ada) as running:
        await running.parts.store.change("DELETE FROM pack_item")
        stage.playground.faults.add(Fault(method="getStickerSet", retry_after=1))
        before = await ids(ada)
        await ada.send("/packs move 3 to 1")
        await ada.wait_for("Sticker 3 is number 1 now")
        assert await ids(ada) == [before[2], *before[:2]]
        await running.parts.store.change("DELETE FROM pack_item")
        stage.playground.faults.add(Fault(method="getStickerSet", retry_after=60))
        await ada.send("/packs delete 3")
        await ada.wait_for("does not let me look")
        assert len(await ids(ada)) == 3


async def test_a_move_that_cannot_be_looked_at(stage: Stage, ada: Person) -> None:
    """Telegram has done it and then lets nobody look: the number told is the new one, and so is the record."""
    async with packed(stage, ada) as running:
        before = await ids(ada)
        stage.playground.faults.add(
            Fault(method="getStickerSet", skip=1, error=(502, "Bad Gateway"), times=2)
        )
        await ada.send("/packs move 3 to 1")
        await ada.wait_for("Sticker 3 is number 1 now")
        assert await ids(ada) == [before[2], *before[:2]]
        stage.playground.faults.add(
            Fault(method="getStickerSet", skip=1, error=(502, "Bad Gateway"), times=2)
        )
        await ada.send("/packs delete 1")
        await ada.wait_for("Sticker 1 is out")
        assert await ids(ada) == before[:2]
        recorded = "SELECT unique_id FROM pack_item ORDER BY position"
        assert [row[0] for row in await running.parts.store.rows(recorded)] == before[:2]


async def test_russian_words(stage: Stage) -> None:
    """The same orders in Russian, and a word that is none. The first can only mean a pack, so it stands alone."""
    async with PatientPerson.join(stage.playground.address, "Аня", language_code="ru") as anya, stage.bot():
        await anya.send("/start")
        await anya.wait_for("/new")
        await anya.send("/sticker рыжая лиса --seed 1 --n 2")
        await anya.press(await anya.wait_for("зерно 1"), "addall")
        await anya.wait_for("в твой набор")
        first, second = await ids(anya)
        for order, answer in (
            ("подвинь 2 на 1", "под номером 1"),
            ("/packs слова 1 лиса, рыжая", "рыжая"),
            ("/packs название Мои лисы", "Мои лисы"),
            ("/packs удали 2", "больше нет"),
        ):
            await anya.send(order)
            await anya.wait_for(answer)
        await anya.send("/packs")
        assert "▸" not in (await anya.wait_for("Твои наборы")).text
        assert await ids(anya) == [second]
        assert first != second
        assert (await anya.packs())[0]["title"] == "Мои лисы"
        view = await shown(anya, "Твои наборы")
        assert "\n1 🦊\n" in view.text, "one emoji, as Telegram shows it"
        await anya.send("/packs новый Коты")
        await anya.wait_for("идут в набор Коты")
        await anya.send("/packs свари кофе")
        await anya.wait_for("Вот так")


async def test_title_cover_and_questions(stage: Stage, ada: Person) -> None:
    """A button asks, the next text answers; a command in between ends the question; each is undone."""
    async with packed(stage, ada) as running:
        name = (await ada.packs())[0]["name"]
        view = await shown(ada)
        await ada.press(view, "✎ Title")
        await ada.wait_for("Write the new title")
        await ada.send("Foxes & co")
        await ada.wait_for("called Foxes & co")
        assert (await ada.packs())[0]["title"] == "Foxes & co"
        await ada.send("/undo")
        await ada.wait_for("Taken back")
        assert (await ada.packs())[0]["title"] != "Foxes & co"
        await ada.send("/packs cover 2")
        await ada.wait_for("is the cover")
        found = await running.parts.packs.record.bot.get_sticker_set(name)
        assert found.thumbnail is not None
        assert (found.thumbnail.width, found.thumbnail.height) == (100, 100)
        await ada.send("/undo")
        await ada.wait_for("Taken back")
        assert (await running.parts.packs.record.bot.get_sticker_set(name)).thumbnail is None
        view = await shown(ada)
        await ada.press(view, "1")
        await ada.press(await ada.wait_for("sticker 1 of 3"), "🙂 Emoji")
        await ada.wait_for("Which emoji")
        await ada.send("no emoji here")
        await ada.wait_for("I see no emoji")
        await ada.send("🐙")
        await ada.wait_for("sticker 1 for 🐙")
        assert (await stickers(ada))[0]["emoji_list"] == ["🐙"]
        await ada.press(await shown(ada), "✎ Title")
        await ada.wait_for("Write the new title")
        await ada.send("/status")
        await ada.wait_for("no style")
        await ada.send("just a text")
        await ada.wait_for("no style")
        assert (await ada.packs())[0]["title"] != "just a text"


async def test_a_drawing_takes_the_place_of_a_sticker(stage: Stage, ada: Person) -> None:
    """From below the drawing; the old one comes back with /undo, at its place."""
    async with packed(stage, ada):
        old = await stickers(ada)
        await ada.send("/sticker a blue cat --seed 9")
        await ada.wait_for("seed 9")
        new = drawings_of(ada)[-1]
        await ada.press(new, "menu:4:draw")
        await until(lambda: labelled(ada, -1, "Replace"))
        await ada.press(new, "replace:")
        await ada.press(await ada.wait_for("shall go"), "2")
        await ada.wait_for("Sticker 2 of")
        found = await stickers(ada)
        assert [one["file_unique_id"] for one in found[::2]] == [one["file_unique_id"] for one in old[::2]]
        assert await ada.download(found[1]["file_id"]) == await ada.download(str(new.file_id))
        await until(lambda: labelled(ada, 1, "Add to pack"))
        await ada.send("/undo")
        await ada.wait_for("Taken back")
        found = await stickers(ada)
        assert await ada.download(found[1]["file_id"]) == await ada.download(old[1]["file_id"])
        assert (len(found), found[1]["emoji_list"]) == (3, old[1]["emoji_list"])
        await until(lambda: labelled(ada, -1, "Add to pack"))
        await ada.press(await shown(ada), "1")
        await ada.press(await ada.wait_for("sticker 1 of 3"), "🔁 Replace")
        await ada.press(await ada.wait_for("By which drawing"), "swap:")
        await ada.wait_for("Sticker 1 of")
        found = await stickers(ada)
        assert await ada.download(found[0]["file_id"]) == await ada.download(str(new.file_id))


async def test_packs_of_ones_own(stage: Stage, ada: Person) -> None:
    """A new pack has a title and takes all stickers; full, it is followed by the next; the style's can be had back."""
    async with packed(stage, ada, 1) as running:
        stage.monkeypatch.setattr(pack_record, "MAX_STICKERS", 2)
        await ada.send("/packs")
        await ada.press(await ada.wait_for("Your packs"), "New pack")
        await ada.wait_for("Write its title")
        await ada.send("Best of")
        await ada.wait_for("All new stickers go into Best of")
        await ada.send("/sticker a cat --seed 50 --n 3")
        await ada.press(await ada.wait_for("seed 50"), "addall")
        await until(lambda: running.parts.store.value("SELECT count(*) = 4 FROM pack_sticker WHERE told"))
        found = await ada.packs()
        assert [(pack["title"], len(pack["stickers"])) for pack in found][1:] == [
            ("Best of", 2),
            ("Best of 2", 1),
        ]
        await ada.send("/packs")
        listed = await ada.wait_for("▸ Best of 2: 1 sticker")
        assert "▸ takes all new stickers" in listed.text
        await ada.press(listed, "Best of 2")
        await ada.press(await ada.wait_for("New stickers go into this pack"), "A pack for each style")
        await ada.wait_for(lambda m: m.button("New stickers here") is not None)
        await ada.send("/sticker a dog --seed 60")
        await ada.wait_for("seed 60")
        await ada.press(drawings_of(ada)[-1], "add:")
        await ada.wait_for("1 sticker added")
        assert [len(pack["stickers"]) for pack in await ada.packs()] == [2, 2, 1]


async def test_custom_emoji_copies(stage: Stage, ada: Person) -> None:
    """Each sticker once, at 100 px, also when asked twice; the emoji pack can be changed like any other."""
    async with packed(stage, ada) as running:
        view = await shown(ada)
        for answer in ("I make 3", "custom emoji already"):
            await ada.press(view, "As custom emoji")
            await ada.press(await ada.wait_for("(3 stickers)?"), "Yes")
            await ada.wait_for(answer)
        await until(lambda: running.parts.store.value("SELECT count(*) = 6 FROM pack_sticker WHERE told"))
        regular, emoji = await ada.packs()
        assert (emoji["sticker_type"], len(emoji["stickers"])) == ("custom_emoji", 3)
        assert {one["width"] for one in emoji["stickers"]} == {100}
        assert [one["emoji_list"] for one in emoji["stickers"]] == [
            one["emoji_list"] for one in regular["stickers"]
        ]
        await ada.send("/packs")
        await ada.press(await ada.wait_for("✨"), "emoji")
        await ada.press(await ada.wait_for(lambda m: m.button("item:") is not None), "3")
        await ada.press(await ada.wait_for("sticker 3 of 3"), "Cover")
        await ada.wait_for("is the cover")
        await ada.send("/undo")
        await ada.wait_for("Taken back")
        assert [len(pack["stickers"]) for pack in await ada.packs()] == [3, 3]


async def test_a_whole_pack_is_deleted_after_one_confirmation(stage: Stage, ada: Person) -> None:
    """Its stickers can be added again, into a pack of another name."""
    async with packed(stage, ada):
        (pack,) = await ada.packs()
        await ada.press(await shown(ada), "Delete the pack")
        sure = await ada.wait_for("cannot be undone")
        assert len(await ada.packs()) == 1
        await ada.press(sure, "Delete it")
        await ada.wait_for("is deleted from Telegram")
        assert await ada.packs() == []
        await until(lambda: labelled(ada, 0, "Add to pack"))
        await ada.press(drawings_of(ada)[0], "add:")
        await ada.wait_for("1 sticker added")
        (new,) = await ada.packs()
        assert new["name"] != pack["name"]
        await ada.press(sure, "Delete it")  # an old button explains itself
        await ada.wait_for("not on Telegram any more")


async def test_what_the_owner_does_elsewhere_is_seen(stage: Stage, ada: Person) -> None:
    """Deleted, moved, added and renamed in another app: the numbers are those of now, old buttons say what is gone."""
    async with packed(stage, ada) as running:
        bot = running.parts.packs.record.bot
        (pack,) = await ada.packs()
        first, second, third = pack["stickers"]
        view = await shown(ada)
        await bot.delete_sticker_from_set(second["file_id"])
        await bot.set_sticker_position_in_set(third["file_id"], 0)
        await bot.add_sticker_to_set(ada.id, pack["name"], InputSticker(sticker(77), ["🎩"], "static"))
        await bot.set_sticker_set_title(pack["name"], "Elsewhere")
        await ada.press(view, "2")
        await ada.press(await ada.wait_for("sticker 2 of 3"), "✕ Delete")
        await ada.wait_for("not in the pack any more")
        assert len(await stickers(ada)) == 3
        view = await shown(ada)
        assert "Elsewhere" in view.text
        await until(lambda: labelled(ada, 1, "Add to pack"))
        await ada.press(view, "3")
        assert "I did not add it" in (await ada.wait_for("sticker 3 of 3: 🎩")).text
        await ada.send("/packs delete 1")
        await ada.wait_for("is out of")
        assert (await ids(ada))[0] == first["file_unique_id"]
        await bot.delete_sticker_set(pack["name"])
        await ada.send("/packs delete 1")
        await ada.wait_for("not on Telegram any more")
        await ada.send("/packs")
        await ada.wait_for("You have no pack yet")


async def test_a_page_with_a_sticker_that_cannot_be_downloaded(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown without that one's picture."""
    async with packed(stage, ada, 1) as running:
        (pack,) = await ada.packs()
        theirs = InputSticker(sticker(77), ["🎩"], "static")
        await running.parts.packs.record.bot.add_sticker_to_set(ada.id, pack["name"], theirs)
        refused = stage.playground.faults.add(
            Fault(method="getFile", error=(400, "Bad Request: wrong file_id"), times=9)
        )
        view = await shown(ada)
        assert view.button("2") is not None
        assert refused.times < 9
    assert "crash" not in caplog.text


REFUSED_FILE = "Bad Request: wrong file_id or the file is temporarily unavailable"


@pytest.mark.parametrize("how", ["delete", "replace", "cover"])
async def test_what_telegram_does_not_give_can_go(stage: Stage, ada: Person, how: str) -> None:
    """It is told that it cannot come back; undo says so, too, and the next one takes back what was before it."""
    async with packed(stage, ada, 2) as running:
        (pack,) = await ada.packs()
        theirs = InputSticker(sticker(77), ["🎩"], "static")
        await running.parts.packs.record.bot.add_sticker_to_set(ada.id, pack["name"], theirs)
        before = await ids(ada)
        await ada.send("/packs title Sea")
        await ada.wait_for("called Sea")
        if how == "cover":
            await ada.send("/packs cover 1")
            await ada.wait_for("✓ Sticker 1 is the cover")
        if how == "replace":
            await ada.send("/sticker a blue cat --seed 9")
            await ada.wait_for("seed 9")
        refused = stage.playground.faults.add(Fault(method="getFile", error=(400, REFUSED_FILE), times=99))
        if how == "replace":
            await ada.press(drawings_of(ada)[-1], "menu:3:draw")
            await until(lambda: labelled(ada, -1, "Replace"))
            await ada.press(drawings_of(ada)[-1], "replace:")
            await ada.press(await ada.wait_for("shall go"), "3")
        else:
            await ada.send({"delete": "/packs delete 3", "cover": "/packs cover 2"}[how])
        told = await ada.wait_for("so I cannot bring it back")
        assert told.button("Undo") is None
        assert refused.times < 99
        assert {"delete": 2, "replace": 3, "cover": 3}[how] == len(await ids(ada))
        assert (before[2] in await ids(ada)) == (how == "cover")
        stage.playground.faults.clear()
        await ada.send("/undo")
        await ada.wait_for("Telegram did not give me the picture that was there before")
        await ada.send("/undo")
        await ada.wait_for("old cover again" if how == "cover" else "Taken back: the pack is called")


async def test_a_change_that_cannot_be_taken_back_is_told_once(stage: Stage, ada: Person) -> None:
    """Words that only Telegram knew, and a new sticker that its owner deleted: the next undo goes on before them."""
    async with packed(stage, ada, 2) as running:
        (pack,) = await ada.packs()
        bot = running.parts.packs.record.bot
        await bot.add_sticker_to_set(ada.id, pack["name"], InputSticker(sticker(77), ["🎩"], "static"))
        await ada.send("/packs title Sea")
        await ada.wait_for("called Sea")
        await ada.send("/packs words 3 hat")
        await ada.wait_for("found by these words now: hat")
        await ada.send("/sticker a blue cat --seed 9")
        await ada.wait_for("seed 9")
        await ada.press(drawings_of(ada)[-1], "menu:3:draw")
        await until(lambda: labelled(ada, -1, "Replace"))
        await ada.press(drawings_of(ada)[-1], "replace:")
        await ada.press(await ada.wait_for("shall go"), "1")
        await ada.wait_for("✓ Sticker 1 of")
        await bot.delete_sticker_from_set((await stickers(ada))[0]["file_id"])
        for told in (
            "not in the pack any more",
            "which search words were there",
            "Taken back: the pack is called",
        ):
            await ada.send("/undo")
            await ada.wait_for(told)


METHODS = {
    "setStickerPositionInSet": "move 3 to 1",
    "setStickerEmojiList": "emoji 1 🐙",
    "setStickerKeywords": "words 1 sea",
    "setStickerSetTitle": "title Sea",
    "setStickerSetThumbnail": "cover 2",
    "deleteStickerFromSet": "delete 2",
}


@pytest.mark.parametrize("how", ["drop", "429", "500"])
async def test_no_failure_changes_twice_or_loses_one(stage: Stage, ada: Person, how: str) -> None:
    """A lost answer, a limit, a server error at each call: each change is made once, all can be undone."""
    async with packed(stage, ada):
        before = await ids(ada)
        faults = []
        for method, order in METHODS.items():
            fault = {
                "drop": Fault(method=method, drop=True, times=2),
                "429": Fault(method=method, retry_after=0, times=2),
                "500": Fault(method=method, error=(500, "Internal Server Error"), times=2),
            }[how]
            faults.append(stage.playground.faults.add(fault))
            await ada.send(f"/packs {order}")
            await ada.wait_for("✓")
        assert all(fault.times < 2 for fault in faults)
        assert len(await ids(ada)) == 2
        for _ in METHODS:
            await ada.send("/undo")
            await ada.wait_for("Taken back")
        await until(lambda: has(ada, 3))
        assert (await ids(ada))[1:] == before[1:]  # the first one was deleted, so it has another id


async def has(person: Person, count: int) -> bool:
    return len(await stickers(person)) == count


@pytest.mark.parametrize("heard", [True, False])
async def test_a_kill_in_the_middle_of_a_change(stage: Stage, ada: Person, heard: bool) -> None:
    """The row says that a call was begun: whether Telegram had heard it or not, it is done once and told."""
    async with packed(stage, ada) as running:
        store, bot = running.parts.store, running.parts.packs.record.bot
        await shown(ada)
        (pack,) = await ada.packs()
        target = pack["stickers"][1]
        stage.monkeypatch.setattr(running.parts.packs, "wake", lambda person: None)
        await ada.send("/packs delete 2")
        await until(lambda: store.value("SELECT id FROM pack_change WHERE kind = 'delete'"))
        change = int(await store.value("SELECT id FROM pack_change WHERE kind = 'delete'"))
        old = {"emoji": ["🦊"], "keywords": ["fox"], "sticker": 2, "position": 1}
        await pack_changes.calling(store, change, item=target["file_unique_id"], old=old, old_blob=None)
        if heard:
            await bot.delete_sticker_from_set(target["file_id"])
    since = ada.seq
    async with stage.bot():
        await done(ada, "is out of", since)
        assert await ids(ada) == [
            pack["stickers"][0]["file_unique_id"],
            pack["stickers"][2]["file_unique_id"],
        ]


@pytest.mark.parametrize("heard", [True, False])
async def test_a_kill_in_the_middle_of_a_replacement(stage: Stage, ada: Person, heard: bool) -> None:
    """The picture shows whether it was heard; the set has as many stickers as before, the new one once."""
    async with packed(stage, ada) as running:
        store, bot = running.parts.store, running.parts.packs.record.bot
        await ada.send("/sticker a blue cat --seed 9")
        await ada.wait_for("seed 9")
        (pack,) = await ada.packs()
        old, new = pack["stickers"][1], drawings_of(ada)[-1]
        file = await bot.upload_sticker_file(ada.id, await ada.download(str(new.file_id)), "static")
        wanted = pack_stickers.Wanted(person=ada.id, drawing=4, target=1, replaces=old["file_unique_id"])
        row = await pack_stickers.want(store, wanted)
        assert row is not None
        await pack_stickers.uploaded(store, row, file.file_id)
        await pack_stickers.adding(store, row, 1, [one["file_unique_id"] for one in pack["stickers"]])
        if heard:
            one = InputSticker(file.file_id, ["🐱"], "static")
            await bot.replace_sticker_in_set(ada.id, pack["name"], old["file_id"], one)
    async with stage.bot() as running:
        await until(lambda: running.parts.store.value("SELECT told FROM pack_sticker WHERE id = 4"))
        found = await stickers(ada)
        assert len(found) == 3
        assert await ada.download(found[1]["file_id"]) == await ada.download(str(new.file_id))
        methods = [call.method for call in stage.playground.calls]
        assert methods.count("replacestickerinset") == 1


async def test_a_bot_that_was_renamed(stage: Stage, ada: Person) -> None:
    """Its packs keep their full names and take more; new packs end in the new name."""
    async with packed(stage, ada, 2) as running:
        (pack,) = await ada.packs()
        account = stage.playground.world.bot
        object.__setattr__(account, "username", "renamed_bot")
        await running.parts.store.change("UPDATE pack_sticker SET told = 1")
    async with stage.bot():
        await ada.send("/sticker a blue cat --seed 9 --n 2")
        await ada.wait_for("seed 9")
        await ada.press(drawings_of(ada)[-2], "add:")
        await ada.wait_for("1 sticker added")
        assert len((await ada.pack(pack["name"]))["stickers"]) == 3
        await ada.send("/packs delete 1")
        await ada.wait_for("is out of")
        await ada.send("/packs new Second")
        await ada.wait_for("go into Second")
        await ada.press(drawings_of(ada)[-1], "add:")
        await ada.wait_for("1 sticker added")
        assert [one["name"].rpartition("_by_")[2] for one in await ada.packs()] == [
            "playground_bot",
            "renamed_bot",
        ]


async def test_an_owner_who_never_started_the_bot(stage: Stage, ada: Person) -> None:
    """Telegram makes no pack for them; their stickers wait and go in when they press Start."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await ada.send("/sticker a red fox --seed 1")
        await ada.wait_for("seed 1")
        fault = Fault(method="uploadStickerFile", error=(400, "Bad Request: user not found"))
        stage.playground.faults.add(fault)
        await ada.press(drawings_of(ada)[0], "add:")
        await until(lambda: running.parts.store.value("SELECT state = 'unstarted' FROM pack_sticker"))
        assert await ada.packs() == []
        await ada.send("/start")
        await ada.wait_for("1 sticker added")
        assert len(await stickers(ada)) == 1


async def test_an_undo_comes_before_a_wait(stage: Stage, ada: Person) -> None:
    """A change that Telegram makes wait is taken back without a call."""
    async with packed(stage, ada):
        stage.playground.faults.add(Fault(method="setStickerSetTitle", retry_after=60))
        await ada.send("/packs title Slow")
        await ada.wait_for("makes your pack wait")
        await ada.send("/undo")
        await ada.wait_for("Taken back before")
        assert (await ada.packs())[0]["title"] != "Slow"
        assert [call.method for call in stage.playground.calls].count("setstickersettitle") == 1
