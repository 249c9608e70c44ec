"""What people do on their way to a pack, and what must hold for what they get."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from bot.playground import Message, Picture
from tests.patient_person import PatientPerson

PATIENCE = None  # no fixed time: a PatientPerson waits as long as the bot makes progress


def picture(number: int, size: tuple[int, int] = (150, 130), form: str = "PNG") -> bytes:
    """Four triangles in colours of their own on nothing; no two numbers look alike."""
    image, random = Image.new("RGBA", size), np.random.default_rng(number)
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        corners = [
            (int(x), int(y)) for x, y in random.integers((10, 10), (size[0] - 10, size[1] - 10), (3, 2))
        ]
        pen.polygon(corners, fill=(*(int(value) for value in random.integers(0, 255, 3)), 255))
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def sticker_file(number: int) -> bytes:
    """A picture that Telegram takes as a sticker."""
    return picture(number, (512, 400), "WEBP")


async def arrive(person: PatientPerson, keyword: str = "zuvix") -> None:
    """Greet the bot and start a style."""
    await person.send("/start")
    await person.wait_for("/new", PATIENCE)
    await person.send(f"/new {keyword}")
    await person.wait_for(f"{keyword} is open", PATIENCE)


async def collect(person: PatientPerson, count: int = 6, first: int = 0) -> None:
    """Send captioned pictures and wait until the bot has them all."""
    names = range(first, first + count)
    album = [Picture(data=picture(n), caption=f"ball number {n}", as_="document") for n in names]
    await person.album(album)
    await person.wait_for(f"{first + count} in all", PATIENCE)


async def train(person: PatientPerson) -> Message:
    """Ask for a training and wait for its end."""
    await person.send("/train")
    return await person.wait_for("is ready!", PATIENCE)


async def draw(person: PatientPerson, wish: str, done: str = "seed ") -> list[Message]:
    """Ask for stickers; gives those that came for it."""
    since = person.seq
    await person.send(f"/sticker {wish}")
    await person.wait_for(lambda message: f"· {done}" in message.text, PATIENCE)
    return [message for message in person.heard(since) if message.kind == "sticker"]


async def captions_in_order(person: PatientPerson) -> list[str]:
    """The captions that /samples lists page after page, without their numbers, which must count from 1."""
    await person.send("/samples")
    shown = await person.wait_for(lambda message: message.kind == "photo", PATIENCE)
    lines = numbered_lines(shown)
    while shown.button("›"):
        await person.press(shown, "›")
        shown = await person.wait_for(lambda message: message.kind == "photo", PATIENCE)
        lines += numbered_lines(shown)
    numbers = [line.partition(". ")[0] for line in lines]
    assert numbers == [str(number) for number in range(1, len(lines) + 1)]
    return [line.partition(". ")[2] for line in lines]


def numbered_lines(message: Message) -> list[str]:
    """The lines of a page of samples, without its heading and its hint."""
    return [line for line in message.text.splitlines() if line.partition(". ")[0].isdigit()]


async def packed(person: PatientPerson) -> list[str]:
    """The file ids of all stickers in the person's packs."""
    return [sticker["file_id"] for pack in await person.packs() for sticker in pack["stickers"]]


async def check_pack(person: PatientPerson, count: int) -> None:
    """So many different stickers, each on Telegram's rules."""
    files = [await person.download(file_id) for file_id in await packed(person)]
    assert len(files) == count
    assert len(set(files)) == count
    for file in files:
        check_sticker(file)


def check_sticker(file: bytes) -> None:
    """WebP, one side 512 and the other at most that, at most 512 KiB, no colour where nothing is seen."""
    assert len(file) <= 512 * 1024
    image = Image.open(io.BytesIO(file))
    assert image.format == "WEBP"
    assert max(image.size) == 512
    rgba = np.asarray(image.convert("RGBA"))
    clear = rgba[..., 3] == 0
    assert clear.any(), "a sticker has a transparent background"
    assert not clear.all(), "a sticker shows something"
    assert not rgba[clear].any(), "transparent pixels have a colour"
