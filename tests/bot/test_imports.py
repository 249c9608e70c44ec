"""Whole packs in the chat: by link, by command, by the button below a sticker; each picture once, whatever happens."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.config import Train
from bot.playground import Fault, Person, Picture
from bot.playground.wire import Json
from bot.tables import imports
from tests.bot.conftest import Running, Stage
from tests.bot.sample_pictures import drawing
from tests.bot.styled import captions, kept, styled
from tests.moving import VIDEO, animated
from tests.waiting import until_async

LINK = "https://t.me/addstickers/Foxes"


def sticker(seed: int, emoji: str = "🦊", name: str = "a.png") -> Picture:
    return Picture(data=drawing(seed), name=name, as_="sticker", emoji=emoji)


def moving(name: str, data: bytes = b"\x1aE\xdf\xa3 no picture") -> Picture:
    return Picture(data=data, name=name, as_="sticker", emoji="🎬")


async def publish(ada: Person, count: int, *more: Picture) -> Json:
    return await ada.publish("Foxes", "All foxes", [*(sticker(n) for n in range(count)), *more])


@pytest.mark.parametrize("text", [LINK, "look: tg://addstickers?set=Foxes", "/pack Foxes", f"/pack {LINK}"])
async def test_a_pack_is_taken_as_a_whole(stage: Stage, ada: Person, text: str) -> None:
    """Alpha and all, captions drafted from emoji, told in one message; what cannot be read is counted."""
    async with styled(stage, ada) as running:
        await publish(ada, 5, moving("a.webm"), moving("b.tgs"))
        since = ada.seq
        await ada.send(text)
        told = await ada.wait_for("All foxes: 5 new pictures for zuvix, 5 in all")
        assert "2 pictures were not taken. " in told.text
        assert "5 captions are drafted from emoji, like zuvix fox" in told.text
        assert len({message.id for message in ada.heard(since)}) == 1
        assert await captions(running) == ["zuvix fox"] * 5
        first = Image.open(io.BytesIO(await running.parts.blobs.read((await kept(running))[0].blob)))
        assert (first.mode, first.size) == ("RGBA", (512, 512))
        await ada.send("undo")
        await ada.wait_for("Taken out again: 1, 2, 3, 4, 5. 0 pictures are left")


async def test_stickers_that_move_give_a_still_picture(stage: Stage, ada: Person) -> None:
    """In a pack, and sent singly; as PNG with transparency."""
    pytest.importorskip("thorvg_cython")
    async with styled(stage, ada) as running:
        pack = await publish(ada, 1, moving("a.webm", VIDEO), moving("b.tgs", animated()))
        await ada.send_sticker(pack["stickers"][1]["file_id"])
        told = await ada.wait_for("1 in all")
        await ada.press(told, "takepack:")
        done = await ada.wait_for("All foxes: 2 new pictures for zuvix, 3 in all")
        assert "1 picture was here before" in done.text
        stills = [Image.open(io.BytesIO(await running.parts.blobs.read(s.blob))) for s in await kept(running)]
        assert [(image.mode, image.size) for image in stills] == [("RGBA", (512, 512))] * 3
        assert [image.format for image in stills] == ["PNG", "WEBP", "PNG"]
        await ada.send_picture(b"\x1aE\xdf\xa3 no picture", as_="sticker", name="c.webm")
        await ada.wait_for("could not take a still picture out of it")


async def test_the_button_below_a_sticker_takes_the_rest(stage: Stage, ada: Person) -> None:
    """It says how many there are; what is here already comes no second time, sent another way neither."""
    async with styled(stage, ada) as running:
        pack = await publish(ada, 4)
        await ada.send_sticker(pack["stickers"][2]["file_id"])
        told = await ada.wait_for("1 in all")
        assert told.button("All 4 of “All foxes”")
        for number, side in ((0, 400), (1, 512)):
            image = Image.open(io.BytesIO(drawing(number))).resize((side, side))
            out = io.BytesIO()
            image.save(out, "PNG")
            await ada.send_picture(out.getvalue(), as_="photo" if number else "document", caption="a thing")
        await ada.wait_for("3 in all")
        await ada.press(told, "takepack:")
        done = await ada.wait_for("All foxes: 1 new picture for zuvix, 4 in all")
        assert "2 pictures were here before; I keep" in done.text
        assert "1 picture was here before without transparency" in done.text
        assert len(await kept(running)) == 4
        sent = await ada.send_sticker(pack["stickers"][3]["file_id"])
        again = await ada.wait_for("here before")
        assert again.button("takepack") is None
        assert sent


async def test_a_style_that_is_full(stage: Stage, ada: Person) -> None:
    """Up to its limit, and how many were left out."""
    async with styled(stage, ada, train=Train(max_samples=3)) as running:
        await publish(ada, 5)
        await ada.send(LINK)
        told = await ada.wait_for("3 in all")
        assert "2 pictures were left out: a style can have 3." in told.text
        assert len(await kept(running)) == 3


async def test_a_kill_in_the_middle(stage: Stage, ada: Person) -> None:
    """The next start goes on in the same message; nothing comes twice, and undo takes out all of it."""
    slow = Fault(method="getFile", skip=2, times=1, slow_seconds=60)
    async with styled(stage, ada) as running:
        await publish(ada, 5)
        stage.playground.faults.add(slow)
        since = ada.seq
        await ada.send(LINK)
        await until_async(lambda: slow.done > 0)
        assert len(await kept(running)) == 2
    async with stage.bot() as running:
        told = await ada.wait_for("5 new pictures for zuvix, 5 in all", since=since)
        assert {message.id for message in ada.heard(since)} == {told.id}
        assert len({sample.blob for sample in await kept(running)}) == 5

        async def items_are_gone() -> bool:
            return bool(await running.parts.store.value("SELECT count(*) FROM import_item") == 0)

        await until_async(items_are_gone)
        await ada.press(told, "undo:")
        await ada.wait_for("0 pictures are left")


async def test_telegrams_wait_is_kept(stage: Stage, ada: Person) -> None:
    """A 429 in the middle: no further call until it is over, then the rest."""
    async with styled(stage, ada) as running:
        await publish(ada, 4)
        stage.playground.faults.add(Fault(method="getFile", skip=2, retry_after=2))
        await ada.send(LINK)
        await ada.wait_for("4 new pictures")
        calls = [call for call in stage.playground.calls if call.method == "getfile"]
        assert len(calls) == 5
        assert len(await kept(running)) == 4


async def test_what_cannot_be_opened_or_fetched(stage: Stage, ada: Person) -> None:
    """A pack that is not there says how to get its link; a file that is lost is counted, the others come."""
    async with styled(stage, ada):
        await ada.send("t.me/addstickers/Nobody")
        await ada.wait_for("no sticker pack called Nobody")
        await ada.send("/pack")
        await ada.wait_for("Which pack shall I take pictures from")
        await publish(ada, 3)
        stage.playground.faults.add(Fault(method="getFile", error=(400, "Bad Request: wrong file_id")))
        await ada.send(LINK)
        told = await ada.wait_for("2 new pictures")
        assert "1 picture was not taken. Telegram does not have that file any more." in told.text


async def test_stop(stage: Stage, ada: Person) -> None:
    """What was taken stays; the rest is not fetched. The old button explains itself."""
    slow = Fault(method="getFile", skip=1, times=1, slow_seconds=1)
    async with styled(stage, ada) as running:
        await publish(ada, 6)
        stage.playground.faults.add(slow)
        await ada.send(LINK)
        told = await ada.wait_for("of 6 pictures")
        await until_async(lambda: slow.done > 0)
        await ada.press(told, "stopimport:")
        await ada.wait_for("Stopped. Of All foxes I took ")
        assert len(await kept(running)) < 6


async def test_a_link_before_the_first_style_waits_for_it(stage: Stage, ada: Person) -> None:
    """As pictures do."""
    async with stage.bot() as running:
        await publish(ada, 2)
        await ada.send(LINK)
        told = await ada.wait_for("You have no style yet")
        await ada.press(told, told.buttons[0].data or "")
        await ada.wait_for("2 new pictures")
        assert len(await kept(running)) == 2


async def test_a_style_deleted_meanwhile(stage: Stage, ada: Person) -> None:
    """Its import ends with it; the person's next one goes on."""
    slow = Fault(method="getFile", skip=1, times=1, slow_seconds=1)
    async with styled(stage, ada) as running:
        await publish(ada, 4)
        stage.playground.faults.add(slow)
        await ada.send(LINK)
        await until_async(lambda: slow.done > 0)
        await ada.send("/delete")
        await ada.press(await ada.wait_for("Delete style"), "delete:")
        await ada.wait_for("is deleted")
        await ada.send("/new plixo")
        await ada.wait_for("plixo is open")
        await ada.send(LINK)
        await ada.wait_for("4 new pictures for plixo")
        assert await _imports(running) == [("plixo", "done")]


async def _imports(running: Running) -> list[tuple[str, str]]:
    rows = await running.parts.store.rows(
        "SELECT keyword, state FROM import JOIN style ON style.id = style ORDER BY import.id"
    )
    return [(row[0], row[1]) for row in rows]


async def test_in_russian(stage: Stage, ada: Person) -> None:
    """Whole sentences with the right plurals."""
    async with Person.join(stage.playground.address, "Лиза", language_code="ru") as liza, stage.bot():
        await publish(liza, 2, moving("a.webm"))
        await liza.send("/new zuvix")
        await liza.wait_for("создан")
        await liza.send(LINK)
        told = await liza.wait_for("All foxes: 2 новые картинки в стиле zuvix, всего 2.")
        assert "Не взял 1 картинку." in told.text
        assert imports.Outcome.NEW.value == "new"
