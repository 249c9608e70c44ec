"""Zips of pictures in the chat: taken whole with their captions in one message, or refused with a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from bot import imports
from bot.playground import Fault, Message, Person, Picture
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture, sticker
from tests.bot.sample_pictures import drawing
from tests.bot.styled import captions, kept, styled
from tests.patient_person import PatientPerson
from tests.waiting import until_async


def packed(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip:
        for name, content in files.items():
            zip.writestr(name, content)
    return out.getvalue()


async def send(ada: Person, data: bytes, name: str = "set.zip") -> Message:
    return (await ada.album([Picture(data=data, name=name, as_="document")]))[0]


async def test_a_zip_with_a_table(stage: Stage, ada: Person) -> None:
    """Captions are translated and get the keyword; what is no sample is counted; nothing else is said."""
    table = "file_name,text\na.png,лиса пьёт кофе\nb.png,a cat\n,nothing\ngone.png,a dog\nx.png,a car\n"
    files: dict[str, bytes | str] = {
        "t/metadata.csv": table,
        "t/a.png": drawing(1),
        "t/b.png": drawing(2),
        "t/🐟 c.png": drawing(3),
    }
    files |= {"t/again.png": drawing(1), "t/small.png": picture(20, 20, 1), "t/d.gif": b"GIF89a"}
    async with styled(stage, ada) as running:
        since = ada.seq
        await send(ada, packed(files))
        told = await ada.wait_for("set.zip: 3 new pictures for zuvix, 3 in all")
        assert "1 picture was here before" in told.text
        assert "1 picture was not taken. That picture is too small" in told.text
        assert "1 picture was not taken. I take no GIF. Send a still picture" in told.text
        assert "1 line of its table was no use" in told.text
        assert (
            "2 lines of its tables name files that the zip does not have: t/gone.png, t/x.png." in told.text
        )
        assert len({message.id for message in ada.heard(since)}) == 1
        assert await captions(running) == ["zuvix a fox drinking coffee", "zuvix a cat", "zuvix fish"]
        await ada.send("2: a tiger")
        await ada.wait_for("zuvix a tiger")


async def test_another_styles_keyword_is_left_out(stage: Stage, ada: Person) -> None:
    """If most captions begin with it; the message says so. Words of other languages stay, and so do a few names."""
    called = ["bomux a fountain pen", "bomux красная лиса", "a bomux", "bomux"]
    files: dict[str, bytes | str] = {f"{n}.png": drawing(n) for n in range(8)}
    files |= {f"{n}.txt": text for n, text in enumerate(called)}
    async with styled(stage, ada) as running:
        await send(ada, packed(files))
        told = await ada.wait_for("8 new pictures for zuvix")
        assert "4 captions began with bomux." in told.text
        assert (await captions(running))[:4] == ["zuvix a fountain pen", "zuvix a red fox", "zuvix a", None]
        await ada.send("undo")
        await ada.wait_for("0 pictures are left")
        for n, text in enumerate(
            ["eine Katze", "eine Lampe", "eine Blume", "ein Ball", "*", "murzik a", "murzik b"]
        ):
            files[f"{n}.txt"] = text
        await send(ada, packed(files))
        told = await ada.wait_for("8 new pictures for zuvix")
        assert "began with" not in told.text
        assert "zuvix murzik a" in await captions(running)


async def test_captions_that_cannot_be_read_are_told(stage: Stage, ada: Person) -> None:
    """How many there are, and what to do; the pictures are taken."""
    files: dict[str, bytes | str] = {f"{n}.png": drawing(n) for n in range(3)}
    files |= {"0.txt": "лиса".encode("cp1251"), "1.txt": "лиса".encode("utf-16-le"), "2.txt": "лиса"}
    async with styled(stage, ada) as running:
        await send(ada, packed(files))
        told = await ada.wait_for("set.zip: 3 new pictures for zuvix, 3 in all")
        assert "2 captions in text files could not be read. Save them as UTF-8." in told.text
        assert await captions(running) == [None, None, "zuvix a fox"]


@pytest.mark.parametrize(
    "table", ["file_name,text\na.png,лиса\n".encode("cp1251"), b'[{"file_name": "a.png", "text": "a fox"}]']
)
async def test_a_table_that_cannot_be_read_is_named(stage: Stage, ada: Person, table: bytes) -> None:
    """It is not counted as one bad line, and how to save it is told; the pictures are taken."""
    name = "metadata.jsonl" if table.startswith(b"[") else "list.csv"
    async with styled(stage, ada):
        await send(ada, packed({name: table, "a.png": drawing(1)}))
        told = await ada.wait_for("set.zip: 1 new picture for zuvix")
        assert f"I could not read any caption in {name}. Save it as UTF-8 text" in told.text
        assert "no use" not in told.text


async def test_a_table_of_files_that_are_not_there(stage: Stage) -> None:
    """In Russian: how many, and the first three; a zip with nothing new says so, and no later import repeats drafts."""
    rows = "".join(f"{n}.png,кот\n" for n in range(5))
    files: dict[str, bytes | str] = {"metadata.csv": f"file_name,text\n{rows}", "🐟.png": drawing(1)}
    async with PatientPerson.join(stage.playground.address, "Лиза", language_code="ru") as liza, stage.bot():
        await liza.send("/new zuvix")
        await liza.wait_for("создан")
        await send(liza, packed(files))
        told = await liza.wait_for("1 новая картинка в стиле zuvix")
        assert "5 строк таблицы называют файлы, которых нет в архиве: 0.png, 1.png, 2.png, …." in told.text
        assert "Картинка 1, по её эмодзи: zuvix fish" in told.text
        await send(liza, packed({"a.png": drawing(1)}))
        told = await liza.wait_for("В set.zip нет ничего нового для стиля zuvix.")
        assert "1 картинка уже была здесь; каждую я храню один раз" in told.text
        assert "эмодзи" not in told.text
        assert told.button("undo:") is None


async def test_a_zip_is_taken_up_again_after_a_kill(
    stage: Stage, ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched again, and nothing comes twice; no file on the disk has a name out of it."""
    monkeypatch.setattr(
        imports, "EDIT_SECONDS", 0.0
    )  # an edit for each picture: the slow one is in the middle
    files: dict[str, bytes | str] = {f"secret-{n}.png": drawing(n) for n in range(4)}
    files |= {f"secret-{n}.txt": f"fox number {n}" for n in range(4)}
    slow = Fault(method="editMessageText", skip=1, slow_seconds=60)
    async with styled(stage, ada) as running:
        stage.playground.faults.add(slow)
        since = ada.seq
        await send(ada, packed(files))
        await until_async(lambda: slow.done > 0)
        assert len(await kept(running)) < 4
    async with stage.bot() as running:
        await ada.wait_for("4 new pictures for zuvix, 4 in all", since=since)
        assert await captions(running) == [f"zuvix fox number {n}" for n in range(4)]
    assert not list(tmp_path.rglob("*secret*"))  # noqa: ASYNC240 - small and local


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"../a.png": b"1"}, "leads out of it"),
        ({f"{n}.png": b"1" for n in range(201)}, "more than 200 entries"),
        ({"a.txt": "a fox"}, "no pictures in that zip"),
        (None, "That zip is damaged"),
    ],
)
async def test_an_unsafe_zip_is_refused_with_its_reason(
    stage: Stage, ada: Person, files: dict[str, bytes | str] | None, told: str
) -> None:
    """Nothing of it is taken."""
    async with styled(stage, ada) as running:
        await send(ada, b"PK no zip" if files is None else packed(files))
        await ada.wait_for(told)
        assert await kept(running) == []


@pytest.mark.parametrize(
    ("description", "told"),
    [("wrong file_id", "Telegram does not have that file any more"), ("file is too big", "over 20 MB")],
)
async def test_a_zip_that_telegram_does_not_give(
    stage: Stage, ada: Person, description: str, told: str
) -> None:
    """The reason is told."""
    async with styled(stage, ada):
        stage.playground.faults.add(Fault(method="getFile", error=(400, f"Bad Request: {description}")))
        await send(ada, packed({"a.png": drawing(1)}))
        await ada.wait_for(told)


async def test_a_zip_before_the_first_style_waits_for_it(stage: Stage, ada: Person) -> None:
    """As pictures do."""
    async with stage.bot() as running:
        await send(ada, packed({"a.png": drawing(1)}))
        await ada.wait_for("You have no style yet")
        await ada.send("/new zuvix")
        await ada.wait_for("set.zip: 1 new picture")
        assert len(await kept(running)) == 1


async def test_fifty_uploads_get_one_message(stage: Stage, ada: Person) -> None:
    """It is edited while they come, also if they take longer than one answer waits."""
    async with styled(stage, ada) as running:
        stage.monkeypatch.setattr("bot.sample_replies.LONGEST_SECONDS", 0.5)
        since = ada.seq
        for number in range(50):
            await ada.send_picture(sticker(number), as_="sticker", emoji="🦊")
        await ada.wait_for("50 in all", since=since)
        assert len({message.id for message in ada.heard(since)}) == 1
        assert len(await kept(running)) == 50
