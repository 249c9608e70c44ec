"""Pictures and captions in chat: however they come, they end at each other, and nothing is lost."""

from __future__ import annotations

import dataclasses
import struct
import zlib

import pytest

from bot import captioning, sample_words
from bot.playground import Fault, Person
from bot.playground.content import document_json
from bot.playground.files import Content
from bot.tables.samples import Sample
from lora.data.captions import room as count_room
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture, sticker
from tests.bot.styled import captions, item, kept, styled


async def test_many_forwarded_stickers_get_one_answer(stage: Stage, ada: Person) -> None:
    """24 stickers are 24 updates and one message, with drafts from their emoji to keep or to better."""
    async with styled(stage, ada) as running:
        since = ada.seq
        for number in range(24):
            await ada.send_picture(sticker(number), as_="sticker", emoji="🦊")
        told = await ada.wait_for("24 in all", since=since)
        assert len(ada.heard(since)) == 1
        assert "24 captions are drafted from emoji, like zuvix fox" in told.text
        assert await captions(running) == ["zuvix fox"] * 24
        await ada.press(told, "drafts:")
        await ada.wait_for("24 drafts kept")
        assert {sample.caption_from for sample in await kept(running)} == {"person"}


async def test_a_caption_can_come_with_the_picture_in_a_reply_or_next(stage: Stage, ada: Person) -> None:
    """Each of the three ways, the keyword put in and shown."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a red fox")
        told = await ada.wait_for("Picture 1: zuvix a red fox")
        await ada.send_picture(picture(128, 128, 2), as_="document")
        await ada.wait_for("What is on picture 2?")
        await ada.send("a blue cat")
        await ada.wait_for("Picture 2: zuvix a blue cat")
        await ada.send("a fox, red", reply_to=told)
        await ada.wait_for("I put your keyword zuvix in front")
        sent = await ada.send_picture(sticker(3), as_="sticker", emoji="🐱")
        await ada.wait_for("zuvix cat")
        await ada.send("ZUVIX a grey cat", reply_to=sent)
        answer = await ada.wait_for("Picture 3: ZUVIX a grey cat")
        assert "in front" not in answer.text
        assert await captions(running) == ["zuvix a fox, red", "zuvix a blue cat", "ZUVIX a grey cat"]


async def test_a_text_right_behind_a_sticker_beats_its_emoji(stage: Stage, ada: Person) -> None:
    """Sent without waiting for an answer, in order."""
    async with styled(stage, ada) as running:
        for number in range(3):
            await ada.send_picture(sticker(number), as_="sticker", emoji="🦊")
            await ada.send(f"fox number {number}")
        await ada.wait_for("zuvix fox number 2")
        assert await captions(running) == [f"zuvix fox number {number}" for number in range(3)]


async def test_an_albums_caption_with_a_line_per_picture_is_one_each(stage: Stage, ada: Person) -> None:
    """In order, although each picture is an update of its own."""
    async with styled(stage, ada) as running:
        await ada.album([item(1, "a fox\na cat\n\na dog"), item(2), item(3)])
        await ada.wait_for("3 in all")
        assert await captions(running) == ["zuvix a fox", "zuvix a cat", "zuvix a dog"]


async def test_lines_that_are_not_as_many_as_an_albums_pictures(stage: Stage, ada: Person) -> None:
    """Nobody gets them; the bot says what it counted, and an edit or a reply deals them out, without list numbers."""
    async with styled(stage, ada) as running:
        sent = await ada.album([item(1, "1. a fox\n2. a cat"), item(2), item(3)])
        told = await ada.wait_for("2 lines, and the album 3 pictures, so none of them got words")
        assert await captions(running) == [None, None, None]
        await ada.edit(sent[0], "a fox\na cat\na dog\na cow")
        await ada.wait_for("4 lines, and the album 3 pictures")
        await ada.send("a fox\na cat", reply_to=told)
        await ada.wait_for("2 lines for 3 pictures (1, 2, 3)")
        await ada.send("1. a fox\n2. a cat\n3. a dog", reply_to=told)
        await ada.wait_for("Picture 3: zuvix a dog")
        assert await captions(running) == ["zuvix a fox", "zuvix a cat", "zuvix a dog"]


async def test_any_other_album_caption_belongs_to_its_picture(stage: Stage, ada: Person) -> None:
    """The others are asked for, newest first, and answered by lines at once."""
    async with styled(stage, ada) as running:
        await ada.album([item(1), item(2, "two\nlines"), item(3)])
        told = await ada.wait_for("3 in all")
        assert "Without words yet: 1, 3. What is on picture 3?" in told.text
        assert await captions(running) == [None, "zuvix two lines", None]
        await ada.send("a fox\na dog")
        await ada.wait_for("Picture 3: zuvix a dog")
        assert await captions(running) == ["zuvix a fox", "zuvix two lines", "zuvix a dog"]


async def test_a_refused_picture_keeps_its_line_of_the_album(stage: Stage, ada: Person) -> None:
    """The lines are counted over what was sent, so no caption moves to a neighbour."""
    async with styled(stage, ada) as running:
        await ada.album([item(1, "a fox\na cat\na dog"), item(2, size=20), item(3)])
        await ada.wait_for("2 in all")
        assert await captions(running) == ["zuvix a fox", "zuvix a dog"]
        assert any("too small (20 x 20)" in m.text for m in ada.messages)


async def test_a_caption_that_is_too_long_is_refused_with_the_count(stage: Stage, ada: Person) -> None:
    """The picture is kept; the next shorter text is its caption."""
    async with styled(stage, ada) as running:
        long = "fox " * 100
        room = count_room("zuvix")
        await ada.send_picture(picture(128, 128, 1), as_="document", caption=long)
        told = await ada.wait_for(f"too long: 100 tokens, and there is room for {room} beside zuvix")
        assert 60 < room < 69
        assert "1 in all" in told.text
        await ada.send("cat " * 1250)  # 5,000 characters, which Telegram sends as two texts
        await ada.wait_for("That caption for picture 1 is too long")
        assert await captions(running) == [None]
        await ada.send("a fox")
        await ada.wait_for("Picture 1: zuvix a fox")


@pytest.mark.parametrize("text", ["<b>fox</b> & <a href='x'>", "*fox* _cat_ [x](y) `z`", "{n} %s \\ fox"])
async def test_markup_in_captions_is_only_text(stage: Stage, ada: Person, text: str) -> None:
    """HTML and Markdown are stored and shown as they were written."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="document", caption=text)
        await ada.wait_for(f"zuvix {text}")
        assert await captions(running) == [f"zuvix {text}"]
        await ada.send("/samples")
        await ada.wait_for(lambda m: m.kind == "photo" and text[:20] in m.text)


def bomb(width: int, height: int) -> bytes:
    """The header of a huge PNG with hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (bomb(5_000, 5_000), "too large (5000 x 5000)"),
        (b"%PDF-1.7 not a picture", "PNG, WebP or JPEG"),
        (b"just a text", "PNG, WebP or JPEG"),
        (picture(300, 300, 1)[:200], "cut off or damaged"),
        (bomb(20_000, 20_000), "at most 16 megapixels"),
        (picture(40, 300, 1), "too small (40 x 300)"),
    ],
)
async def test_what_cannot_be_used_is_explained(stage: Stage, ada: Person, data: bytes, told: str) -> None:
    """A clear answer to the very message; the picture before and the one after are kept."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 7), as_="document")
        await ada.wait_for("1 in all")
        bad = await ada.send_picture(data, as_="document", name="bad.dat", caption="a fox")
        answer = await ada.wait_for(told)
        assert answer.raw["reply_to_message"]["message_id"] == bad.id
        await ada.send_picture(picture(128, 128, 8), as_="document")
        await ada.wait_for("2 in all")
        assert len(await kept(running)) == 2


@pytest.mark.parametrize("named", [0, 99])
async def test_an_empty_file_is_explained(stage: Stage, ada: Person, named: int) -> None:
    """Whether Telegram names its 0 bytes or they only show when it is fetched; the other pictures are kept."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 7), as_="document")
        await ada.wait_for("1 in all")
        world = stage.playground.world  # its own door takes no empty file, as Telegram's does not
        file = world.files.add(Content(kind="document", data=b"", mime="image/png", suffix="png"))
        bad = world.say(ada.id, document_json(dataclasses.replace(file, size=named)), from_bot=False)
        answer = await ada.wait_for("That file is empty")
        assert answer.raw["reply_to_message"]["message_id"] == bad["message_id"]
        await ada.send_picture(picture(128, 128, 8), as_="document")
        await ada.wait_for("2 in all")
        assert len(await kept(running)) == 2


async def test_a_file_over_20_mb_is_never_fetched(stage: Stage, ada: Person) -> None:
    """Telegram would not give it anyway."""
    async with styled(stage, ada):
        await ada.send_picture(b"\x89PNG" + b"\0" * (21 << 20), as_="document")
        await ada.wait_for("over 20 MB")


async def test_a_file_that_telegram_does_not_have_is_told(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """At once and in words: no further try gets it, and nothing is logged as a crash."""
    async with styled(stage, ada):
        stage.playground.faults.add(Fault(method="getFile", error=(400, "Bad Request: wrong file_id")))
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a fox")
        await ada.wait_for("Telegram does not have that file any more", 20)
    assert "crash" not in caplog.text


async def test_photos_are_taken_with_one_hint(stage: Stage, ada: Person) -> None:
    """They have lost their transparency; once is enough to say so."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="photo", caption="a fox")
        told = await ada.wait_for("1 in all")
        assert "lose their transparency" in told.text
        await ada.send("/status")
        await ada.wait_for("1 picture")
        await ada.send_picture(picture(128, 128, 2), as_="photo", caption="a cat")
        told = await ada.wait_for("2 in all")
        assert "transparency" not in told.text
        assert await captions(running) == ["zuvix a fox", "zuvix a cat"]


async def test_the_same_file_is_kept_once(stage: Stage, ada: Person) -> None:
    """Sent again, it is counted as a repeat."""
    async with styled(stage, ada) as running:
        sent = await ada.send_picture(sticker(1), as_="sticker", emoji="🦊")
        await ada.wait_for("1 in all")
        assert sent.file_id is not None
        await ada.send_sticker(sent.file_id)
        await ada.wait_for("1 picture was here before")
        assert len(await kept(running)) == 1


async def test_pictures_need_a_style_first(stage: Stage, ada: Person) -> None:
    """The newcomer reads the next step."""
    async with stage.bot():
        await ada.send_picture(sticker(1), as_="sticker")
        await ada.wait_for("/new starts one")
        await ada.send("hello")
        await ada.wait_for("/new starts one")


async def test_a_style_can_be_full(stage: Stage, ada: Person) -> None:
    """A training holds all of them in memory."""
    from bot.config import Train

    async with styled(stage, ada, train=Train(max_samples=2)) as running:
        for number in range(3):
            await ada.send_picture(picture(128, 128, number), as_="document")
        await ada.wait_for("can have 2 pictures")
        assert len(await kept(running)) == 2


async def test_samples_are_shown_corrected_and_removed_by_number(stage: Stage, ada: Person) -> None:
    """A contact sheet with numbers; /caption and /samples remove take them, and so do buttons."""
    async with styled(stage, ada) as running:
        for number in range(23):
            await ada.send_picture(picture(128, 128, number), as_="document", caption=f"fox {number + 1}")
        await ada.wait_for("23 in all")
        await ada.send("/samples")
        sheet = await ada.wait_for(lambda m: m.kind == "photo")
        assert "20. zuvix fox 20" in sheet.text
        assert "21." not in sheet.text
        await ada.press(sheet, "samples:1")
        await ada.wait_for(lambda m: m.kind == "photo" and "23. zuvix fox 23" in m.text)
        await ada.send("/caption 3 a cat")
        await ada.wait_for("Picture 3: zuvix a cat")
        await ada.send("/caption 99 a cat")
        await ada.wait_for("no picture 99")
        await ada.send("/caption a cat")
        await ada.wait_for("/caption 3 a red fox")
        await ada.send("/samples remove 1")
        await ada.wait_for("Picture 1 is removed; 22 are left")
        await ada.press(sheet, "remove:page:0")
        which = await ada.wait_for("Which picture")
        second = which.buttons[1]
        assert second.label == "2"
        await ada.press(which, str(second.data))
        await ada.wait_for("Picture 2 is removed; 21 are left")
        await ada.press(which, str(second.data))
        await ada.wait_for("not here any more")
        found = await captions(running)
        assert found[:2] == ["zuvix fox 2", "zuvix fox 4"]


async def test_an_update_worked_off_twice_changes_nothing(stage: Stage, ada: Person) -> None:
    """After a kill the same message comes again: one sample, one caption, one removal."""
    async with styled(stage, ada) as running:
        for number in range(3):
            await ada.send_picture(picture(128, 128, number), as_="document")
        await ada.wait_for("3 in all")
        await ada.send("a fox")
        await ada.wait_for("zuvix a fox")
        await ada.send("/samples remove 1")
        await ada.wait_for("is removed")
        before = await kept(running)
    replay = "UPDATE inbox SET state = 'waiting', body = (SELECT body FROM copy WHERE copy.update_id = inbox.update_id)"
    async with stage.bot() as running:
        assert len(before) == 2
        await running.parts.store.change("CREATE TABLE copy (update_id INTEGER PRIMARY KEY, body TEXT)")
        await running.parts.store.change(
            "CREATE TRIGGER keep AFTER INSERT ON inbox BEGIN INSERT INTO copy VALUES (new.update_id, new.body); END"
        )
        await ada.send_picture(picture(128, 128, 9), as_="document")
        await ada.wait_for("3 in all")
        await ada.send("a dog")
        await ada.wait_for("zuvix a dog")
        await ada.send("/samples remove 1")
        await ada.wait_for("2 are left")
        before = await kept(running)
        await running.parts.store.change(f"{replay} WHERE update_id IN (SELECT update_id FROM copy)")
    async with stage.bot() as running:
        await ada.send("/status")
        await ada.wait_for("Style zuvix: 2 pictures")
        after = await kept(running)
        assert [(s.id, s.caption) for s in after] == [(s.id, s.caption) for s in before]


async def test_a_kill_before_the_answer_is_answered_later(stage: Stage, ada: Person) -> None:
    """What was stored and not yet reported is reported by the next start."""
    async with styled(stage, ada) as running:
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a fox")
        await ada.wait_for("1 in all")
        await running.parts.store.change("UPDATE sample SET answer_id = NULL")
    since = ada.seq
    async with stage.bot():
        await ada.wait_for("Picture 1: zuvix a fox", since=since)


async def test_a_download_that_fails_is_tried_again(stage: Stage, ada: Person) -> None:
    """Telegram's hiccup loses no picture, and the caption behind it still finds it."""
    async with styled(stage, ada) as running:
        stage.playground.faults.add(Fault(method="getFile", error=(502, "Bad Gateway"), times=2))
        await ada.send_picture(picture(128, 128, 1), as_="document")
        await ada.send("a fox")
        await ada.wait_for("Picture 1: zuvix a fox")
        assert await captions(running) == ["zuvix a fox"]


async def test_texts_that_caption_nothing_are_not_swallowed(stage: Stage, ada: Person) -> None:
    """The person reads what they may have meant."""
    async with styled(stage, ada):
        await ada.send("a fox in a hat")
        told = await ada.wait_for("No picture waits for words")
        assert "/sticker" in told.text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([None, None], [None, None]),
        (["a\nb", None], ["a", "b"]),
        ([None, " a \n\n b "], ["a", "b"]),
        (["a\nb\nc", None], [None, None]),
        ([None, "a\nb", None], [None, "a\nb", None]),
        (["a", "b"], ["a", "b"]),
        (["a\nb", "c"], ["a\nb", "c"]),
        (["a"], ["a"]),
    ],
)
def test_dealing_out_an_albums_captions(written: list[str | None], expected: list[str | None]) -> None:
    """One caption with a line per picture is one each; other lines on the first are nobody's; any other stays."""
    assert captioning.lines_for(written) == expected


def test_numbers_are_clipped() -> None:
    """A hundred missing captions do not fill the screen."""
    assert sample_words.numbers([_numbered(n) for n in (3, 5)]) == "3, 5"
    assert sample_words.numbers([_numbered(n) for n in range(1, 40)]).endswith("15, …")


def _numbered(number: int) -> Sample:
    return Sample(
        id=number,
        person=1,
        style=1,
        number=number,
        file_unique_id="",
        blob="",
        kind="file",
        message_id=1,
        sent_at=0,
        answer_id=None,
        caption=None,
        caption_from=None,
        captioned_by=None,
        refused_tokens=None,
    )
