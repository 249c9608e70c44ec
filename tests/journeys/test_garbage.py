"""Bad files and texts: each gets a clear answer, nothing is lost, and no word of them is in the log."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import Callable, Coroutine, Iterable

import pytest
from PIL import Image

from bot.playground import Playground
from bot.playground.person import ChatError
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows
from tests.journeys.visitor import PATIENCE, arrive, captions_in_order, collect, draw, packed, picture
from tests.patient_person import PatientPerson

MARKUP = "<b>bold</b> & *stars* _lines_ [link](http://x.y) `code` </a>"


def huge_png() -> bytes:
    """20,000 x 20,000 px in 220 kB: a true PNG of one bit per pixel, 50 MB when unpacked, 1.6 GB as RGBA."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(20_000 * (1 + 20_000 // 8)), 1)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def bad_files() -> list[tuple[str, bytes, str]]:
    """Each with its name and what the answer says."""
    frames = [Image.new("RGB", (80, 80), colour) for colour in ("red", "blue")]
    return [
        ("notes.txt", b"just some words, no picture at all", "cannot read that file"),
        ("page.png", b"<html><script>alert(1)</script></html>", "cannot read that file"),
        ("cut.png", picture(1)[:300], "cut off or damaged"),
        ("cut.webp", picture(1, form="WEBP")[:200], "cut off or damaged"),
        ("head.png", picture(1)[:8], "cut off or damaged"),
        ("huge.png", huge_png(), "too large: at most 16 megapixels"),
        ("large.png", saved(Image.new("1", (5000, 4000)), "PNG"), "too large (5000 x 4000)"),
        ("small.png", saved(Image.new("RGB", (20, 20)), "PNG"), "too small (20 x 20)"),
        ("blank.png", saved(Image.new("RGBA", (90, 90)), "PNG"), "nothing on it"),
        (
            "moving.webp",
            saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
            "only learn from still",
        ),
    ]


async def test_bad_files(bot: BotProcess, playground: Playground, ada: PatientPerson) -> None:
    """Each is refused with its reason, as a reply to it; the pictures before and after it are there."""

    async def offer(name: str, data: bytes, answer: str) -> None:
        async with PatientPerson.join(playground.address, name) as person:
            await arrive(person)
            await collect(person, 2)
            bad = await person.send_picture(data, name=name, as_="document", caption="my secret drawing")
            since = person.seq
            await collect(person, 2, first=2)
            refusal = await person.wait_for(answer, PATIENCE, since=since)
            assert refusal.raw["reply_to_message"]["message_id"] == bad.id, name
            assert await captions_in_order(person) == [f"zuvix ball number {n}" for n in range(4)], name

    await all_of([*(offer(*file) for file in bad_files()), an_empty_file(ada)])
    assert "Traceback" not in bot.log


async def an_empty_file(ada: PatientPerson) -> None:
    """Telegram itself takes no file of 0 bytes; the pictures around it are there."""
    await arrive(ada)
    await collect(ada, 1)
    with pytest.raises(ChatError, match="non-empty"):
        await ada.send_picture(b"", name="nothing.png", as_="document")
    await collect(ada, 1, first=1)
    assert await captions_in_order(ada) == ["zuvix ball number 0", "zuvix ball number 1"]


async def all_of(visits: Iterable[Coroutine[None, None, None]]) -> None:
    """People beside each other, which takes no longer than one."""
    async with asyncio.TaskGroup() as group:
        for visit in visits:
            group.create_task(visit)


async def long_words(ada: PatientPerson) -> None:
    """A caption over 77 tokens, and a text of 5,000 characters: both counted, the picture stays and takes another."""
    await arrive(ada)
    await ada.send_picture(picture(1), as_="document", caption="quite a long tale " * 40)
    refused = await ada.wait_for("too long", PATIENCE)
    assert "tokens, and there is room for" in refused.text
    await ada.send("and on it goes " * 334)
    await ada.wait_for("That caption for picture 1 is too long", PATIENCE)
    await ada.send("a short tale")
    await ada.wait_for("Picture 1: zuvix a short tale", PATIENCE)
    await ada.send(f"/sticker {'a fox and ' * 60}")
    await ada.wait_for("tokens, and there is room for", PATIENCE)
    assert await captions_in_order(ada) == ["zuvix a short tale"]


async def markup(ada: PatientPerson) -> None:
    """HTML and Markdown characters are just characters: in a caption, a prompt and a pack's title."""
    await arrive(ada)
    await ada.send_picture(picture(1), as_="document", caption=MARKUP)
    await ada.wait_for(f"Picture 1: zuvix {MARKUP}", PATIENCE)
    (sticker,) = await draw(ada, f"{MARKUP} --n 1")
    await ada.press(sticker, "add:")
    await ada.wait_for("1 sticker added", PATIENCE)
    (pack,) = await ada.packs()
    assert pack["title"].startswith("<i>Eve</i> & *Co*_")
    assert len(await packed(ada)) == 1


async def keywords(ada: PatientPerson) -> None:
    """What is no word cannot name a style, nor a file."""
    await ada.send("/start")
    await ada.wait_for("Hello <i>Eve</i> & *Co*_", PATIENCE)
    for word in ("../x", "<b>", "a" * 60, "zu vix", "🦊", "cat"):
        await ada.send(f"/new {word}")
        await ada.wait_for(
            lambda message: "cannot be a keyword" in message.text or "is known to me" in message.text,
            PATIENCE,
        )
    await ada.send("/styles")
    await ada.wait_for("no style yet", PATIENCE)


async def commands(ada: PatientPerson) -> None:
    """Each wrong command is answered with how it is right."""
    await arrive(ada)
    await collect(ada, 3)
    for wrong, answer in [
        ("/sticker", "What shall I draw?"),
        ("/sticker a fox --cfg banana", "--cfg takes a number from 1 to 20, or several, not “banana”"),
        ("/sticker a fox --seed <b>", "--seed takes a whole number"),
        ("/sticker a fox --n 99", "--n takes a number from 1 to 8"),
        ("/sticker a fox --cgf 5", "Did you mean --cfg?"),
        ("/train", "3 pictures are too few"),
        ("/samples remove 9", "There is no picture 9"),
        ("/caption nine", "/caption 3"),
        ("/frobnicate", "do not know that command"),
    ]:
        await ada.send(wrong)
        await ada.wait_for(answer, PATIENCE)
    assert await captions_in_order(ada) == [f"zuvix ball number {n}" for n in range(3)]


async def test_bad_words(bot: BotProcess, playground: Playground) -> None:
    """Words that are too long, that look like markup or paths, and commands that are wrong."""

    async def come(plan: Callable[[PatientPerson], Coroutine[None, None, None]]) -> None:
        async with PatientPerson.join(playground.address, "<i>Eve</i> & *Co*_") as person:
            await plan(person)

    await all_of(come(plan) for plan in (long_words, markup, keywords, commands))
    assert rows(bot, "SELECT DISTINCT keyword FROM style") == [("zuvix",)]
    assert "Traceback" not in bot.log
