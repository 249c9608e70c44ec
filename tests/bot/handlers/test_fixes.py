"""The buttons below findings mend what a program can mend, and all of it can be taken back."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from bot.playground import Message, Person, Picture
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.sample_pictures import drawing, mirrored
from tests.bot.styled import captions, kept, styled
from tests.waiting import until_async


def busy(seed: int, side: int = 300) -> bytes:
    """A drawing before a background of many colours."""
    rng = random.Random(seed)
    small = Image.frombytes("RGB", (16, 16), rng.randbytes(16 * 16 * 3))
    image = small.resize((side, side), Image.Resampling.NEAREST).convert("RGBA")
    image.alpha_composite(Image.open(io.BytesIO(drawing(seed))).resize((side, side)))
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG")
    return out.getvalue()


async def send(ada: Person, pictures: list[tuple[bytes, str]]) -> None:
    for data, caption in pictures:
        await ada.send_picture(data, as_="document", caption=caption)
    await ada.wait_for(f"{len(pictures)} in all")


async def check(ada: Person) -> Message:
    await ada.send("/check")
    return await ada.wait_for("What could be better")


async def pixels(running: Running) -> list[tuple[int, int]]:
    """How many pixels each sample has, and how many of them are transparent."""
    images = [Image.open(io.BytesIO(await running.parts.blobs.read(s.blob))) for s in await kept(running)]
    alphas = [image.convert("RGBA").getchannel("A").tobytes() for image in images]
    return [(len(alpha), alpha.count(0)) for alpha in alphas]


async def test_duplicates_are_dropped(stage: Stage, ada: Person) -> None:
    """The larger of two stays; undo brings the other back; a press that is late says so."""
    async with styled(stage, ada) as running:
        await send(
            ada, [(mirrored(drawing(1), 300), "a fox"), (drawing(2), "a cat"), (drawing(1), "one fox")]
        )
        told = await check(ada)
        assert told.button("fix:captions") is None
        assert told.button("fix:background") is None
        id = await ada.press(told, "fix:duplicates")
        done = await ada.wait_for("Removed: 1. 2 pictures are left. Those behind have new numbers")
        again = {"id": id, "from": dict(ada.user), "message": told.raw, "chat_instance": "1"}
        stage.playground.world.updates.add("callback_query", again | {"data": "fix:duplicates:1"})
        await ada.wait_for("That is done in zuvix")  # a kill before the answer
        assert await captions(running) == ["zuvix a cat", "zuvix one fox"]
        await ada.press(told, "fix:duplicates")
        await ada.wait_for("nothing left to do")
        await ada.press(done, "undo:")
        await ada.wait_for("Back again: 1.")


async def test_missing_captions_are_drafted(stage: Stage, ada: Person) -> None:
    """From the emoji of a sticker, also before /train; what has words keeps them."""
    async with styled(stage, ada) as running:
        for seed in range(5):
            await ada.send_picture(drawing(seed), as_="sticker", emoji="🦊" if seed else "")
        await ada.wait_for("5 in all")
        await running.parts.store.change("UPDATE sample SET caption = NULL, caption_from = NULL WHERE id > 3")
        await ada.send("1: a cat")
        await ada.wait_for("zuvix a cat")
        await ada.send("/train")
        told = await ada.wait_for("have no words yet: 4, 5")
        await ada.press(told, "fix:captions")
        done = await ada.wait_for("2 captions drafted from emoji, like zuvix fox")
        assert "Without words yet" not in done.text
        assert await captions(running) == ["zuvix a cat", *["zuvix fox"] * 4]
        await ada.press(done, "drafts:")
        await ada.wait_for("drafts kept")
        await ada.press(done, "undo:")
        await ada.wait_for("As before again: 4, 5.")
        assert (await captions(running))[3:] == [None, None]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            [
                "1 caption drafted from emoji, like zuvix fox.",
                "1 caption copied from almost the same picture, like zuvix a cat.",
                "Without words yet: 4. What is on picture 4? Just write it.",
            ],
        ),
        (
            "ru",
            [
                "1 подпись составлена по эмодзи, например zuvix fox.",
                "1 подпись взята у почти такой же картинки, например zuvix a cat.",
                "Пока без слов: 4. Что на картинке 4? Просто напиши.",
            ],
        ),
    ],
)
async def test_where_drafts_come_from(stage: Stage, ada: Person, language: str, told: list[str]) -> None:
    """How many from emoji, how many copied, and which pictures still have none."""
    async with styled(stage, ada) as running:
        await send(ada, [(drawing(1), "a cat"), (mirrored(drawing(1), 400), "x y")])
        await ada.send_picture(drawing(2), as_="sticker", emoji="🦊")
        await ada.send_picture(drawing(3), as_="document")
        await ada.wait_for("4 in all")
        await running.parts.store.change(
            "UPDATE sample SET caption = NULL, caption_from = NULL WHERE id IN (2, 3)"
        )
        await running.parts.store.change("UPDATE person SET chosen_language = ?", language)
        await ada.send("/check")
        found = await ada.wait_for(lambda message: message.button("fix:captions") is not None)
        since = ada.seq
        await ada.press(found, "fix:captions")
        said = await ada.wait_for("zuvix fox", since=since)
        assert [line for line in said.text.splitlines() if "/samples" not in line] == told
        assert await captions(running) == ["zuvix a cat", "zuvix a cat", "zuvix fox", None]


async def test_busy_backgrounds_are_cut_out(stage: Stage, ada: Person) -> None:
    """A job in the worker, told in one message; where nothing would be left, nothing is changed."""
    async with styled(stage, ada) as running:
        await send(ada, [(drawing(1), "a fox"), (busy(2), "a cat"), (busy(3, side=70), "a dog")])
        before = [sample.blob for sample in await kept(running)]
        told = await check(ada)
        since = ada.seq
        await ada.press(told, "fix:background")
        done = await ada.wait_for("1 picture of zuvix cut out of the background", since=since)
        assert "Of 1 picture nothing would have been left" in done.text
        assert len({message.id for message in ada.heard(since)}) == 1
        now = [sample.blob for sample in await kept(running)]
        assert (now[0], now[2]) == (before[0], before[2])
        assert (await pixels(running))[1][1] > 0
        await ada.press(done, "undo:")
        await ada.wait_for("As before again: 2.")
        assert [sample.blob for sample in await kept(running)] == before
        assert await running.parts.store.value("SELECT count(*) FROM job_sample") == 0


async def test_a_cut_out_survives_a_kill(stage: Stage, ada: Person) -> None:
    """Of the bot or of the worker: each picture is cut out once, and undo takes back all of it."""
    engine = FakeEngine()
    async with styled(stage, ada, engine=engine) as running:
        await send(ada, [(busy(n), f"a cat with {n} hats") for n in range(3)])
        before = [sample.blob for sample in await kept(running)]
        told = await check(ada)
        engine.go.clear()
        await ada.press(told, "fix:background")
        await until_async(lambda: bool(engine.running))
        await engine.die()
        await until_async(lambda: len(engine.jobs) > 1)
    since = ada.seq
    async with stage.bot() as running:
        done = await ada.wait_for("3 pictures of zuvix cut out", since=since)
        assert all(transparent for _, transparent in await pixels(running))
        await ada.press(done, "undo:")
        await ada.wait_for("As before again: 1, 2, 3.")
        assert [sample.blob for sample in await kept(running)] == before


async def test_warnings_are_also_shown_to_who_trains_without_words(stage: Stage, ada: Person) -> None:
    """Samples without captions are asked about first, then the rest; the words that are lacking are not named again."""
    async with styled(stage, ada) as running:
        await send(ada, [(busy(n), f"a cat with {n} hats") for n in range(3)])
        for number in (3, 4):
            await ada.send_picture(busy(number), as_="document")
        await ada.wait_for("5 in all")
        await ada.send("/train")
        await ada.press(await ada.wait_for("no words yet: 4, 5"), "train:bare")
        told = await ada.wait_for("Before I learn zuvix")
        assert "background" in told.text
        assert "No words" not in told.text
        assert not running.engine.jobs
        await ada.press(told, "train:bareanyway")
        await ada.wait_for("Learning zuvix from 5")


async def test_before_a_training(stage: Stage, ada: Person) -> None:
    """The warnings before /train have the buttons, too; /cancel ends a cut-out that goes on."""
    engine = FakeEngine()
    async with styled(stage, ada, engine=engine) as running:
        await send(ada, [(busy(n), f"a cat with {n} hats") for n in range(5)])
        await ada.send("/train")
        told = await ada.wait_for("Before I learn zuvix")
        assert told.button("train:anyway")
        engine.go.clear()
        await ada.press(told, "fix:background")
        await ada.wait_for("Cutting 5 pictures of zuvix out of the background")
        await ada.press(told, "fix:background")
        await ada.wait_for("nothing left to do")
        await ada.send("/cancel")
        await ada.wait_for("Cutting out was cancelled")
        assert not any(transparent for _, transparent in await pixels(running))


async def test_in_russian(stage: Stage) -> None:
    """The buttons and what comes of them."""
    async with Person.join(stage.playground.address, "Лиза", language_code="ru") as liza, stage.bot():
        await liza.send("/new zuvix")
        await liza.wait_for("создан")
        pictures = [Picture(data=busy(1), as_="document", caption="кот")]
        await liza.album([*pictures, Picture(data=drawing(2), as_="document", caption="лиса")])
        await liza.wait_for("всего 2")
        await liza.send("/check")
        await liza.press(await liza.wait_for("Что можно улучшить"), "Вырезать из фона")
        await liza.wait_for("В стиле zuvix вырезано из фона: 1 картинка.")
