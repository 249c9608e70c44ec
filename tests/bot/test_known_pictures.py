"""A picture that is sent again another way stays one sample; a file with transparency takes a photo's place."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.sample_pictures import drawing
from tests.bot.styled import captions, kept, styled
from tests.lora.checks.drawings import DEMO
from tests.patient_person import PatientPerson

GHOST = (DEMO / "ghost.png").read_bytes()
TOLD = {
    "en": (
        "in all",
        "1 picture was here before without transparency (1)",
        "1 picture was here before (1); I keep each once",
        "2 pictures were here before (1, 2)",
    ),
    "ru": (
        "всего",
        "1 картинка уже была здесь без прозрачности (1): взял новый файл, номер и слова прежние.",
        "1 картинка уже была здесь (1); каждую я храню один раз",
        "2 картинки уже были здесь (1, 2)",
    ),
}


@pytest.mark.parametrize("language", TOLD)
async def test_photo_file_and_sticker(stage: Stage, language: str) -> None:
    """One quiet line each time; the sample keeps its number and words, and gets the transparency."""
    new, clearer, again, both = TOLD[language]
    person = PatientPerson.join(stage.playground.address, "Лиза", language_code=language)
    async with person as liza, stage.bot() as running:
        await liza.send("/new zuvix")
        await liza.wait_for("zuvix")
        await liza.send_picture(GHOST, as_="photo", caption="a ghost")
        await liza.wait_for(new)
        await liza.send_picture(GHOST, as_="document")
        await liza.wait_for(clearer)
        (sample,) = await kept(running)
        assert await running.parts.blobs.read(sample.blob) == GHOST
        for _ in range(2):  # the likeness is remembered, and made again after a restart
            await liza.send_picture(GHOST, as_="sticker", emoji="👻")
            await liza.wait_for(again)
            running.parts.intake.known._remembered.clear()
        await liza.send_picture(drawing(1), as_="document")
        await liza.wait_for(new)
        await liza.send("/status")
        await liza.wait_for("zuvix")
        await liza.send_picture(drawing(1), as_="photo")
        await liza.send_picture(GHOST, as_="photo")
        await liza.wait_for(both)
        assert await captions(running) == ["zuvix a ghost", None]


async def test_new_words_are_taken(stage: Stage, ada: Person) -> None:
    """They come with the picture that is there already."""
    async with styled(stage, ada) as running:
        await ada.send_picture(GHOST, as_="document", caption="a sheet")
        await ada.wait_for("1 in all")
        await ada.send_picture(GHOST, as_="photo", caption="a ghost")
        await ada.wait_for("Picture 1: zuvix a ghost")
        assert await captions(running) == ["zuvix a ghost"]


async def test_check_names_what_came_before(stage: Stage, ada: Person) -> None:
    """A photo and its file that are both there, from a time before they were compared, are found by /check."""
    white = Image.new("RGBA", (512, 512), "white")
    white.alpha_composite(Image.open(io.BytesIO(GHOST)).convert("RGBA").resize((512, 512)))
    out = io.BytesIO()
    white.convert("RGB").resize((320, 320)).save(out, "JPEG", quality=80)
    async with styled(stage, ada) as running:
        for number, caption in enumerate(("a ghost", "a white ghost")):
            await ada.send_picture(drawing(number), as_="document", caption=caption)
        await ada.wait_for("2 in all")
        async with running.parts.blobs.keep(GHOST, out.getvalue()) as names:
            for id, name in enumerate(names, start=1):
                await running.parts.store.change("UPDATE sample SET blob = ? WHERE id = ?", name, id)
        await ada.send("/check")
        await ada.wait_for("Almost the same: 1 = 2")
