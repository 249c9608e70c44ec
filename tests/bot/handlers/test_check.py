"""/check: what is said of good pictures and of each fault."""

from __future__ import annotations

import io

from PIL import Image

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.sample_pictures import GOOD, drawing, mirrored
from tests.bot.trainings import fill


async def test_good_samples(stage: Stage, ada: Person) -> None:
    """The answer praises them and says what is checked later, during the training. /train begins at once."""
    async with stage.bot():
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        await ada.send("/check")
        await ada.wait_for("no pictures yet")
        for picture, caption in GOOD:
            await ada.send_picture(picture, as_="document", caption=caption)
        await ada.wait_for("20 in all")
        await ada.send("/check")
        told = await ada.wait_for("look good to me")
        assert "20 pictures" in told.text
        assert "once I begin to learn" in told.text
        await ada.send("/train")
        await ada.wait_for("Learning zuvix from 20 pictures")


async def test_every_fault_by_its_numbers(stage: Stage, ada: Person) -> None:
    """The answer names each fault, the numbers of its pictures, and what to do; equal pictures are one group."""
    async with stage.bot():
        await fill(
            ada,
            [*GOOD[:8], (mirrored(GOOD[2][0], 400), "a fox again"), (mirrored(drawing(99), 200), "??? 2")],
        )
        await ada.send("/check")
        told = (await ada.wait_for("What could be better")).text
        assert "Almost the same: 3 = 9" in told
        assert "Small: 10" in told
        assert "Very few words: 10" in told
        assert "Few pictures. With only 10" in told
        await ada.send("/train")  # a few faults hold nothing up
        await ada.wait_for("Learning zuvix from 10 pictures")


async def test_a_blank_picture(stage: Stage, ada: Person) -> None:
    """Nothing is to be seen on it, which is said."""
    white = io.BytesIO()
    Image.new("RGB", (512, 512), "white").save(white, "PNG")
    async with stage.bot():
        await fill(ada, [*GOOD[:5], (white.getvalue(), "a polar bear in the snow")])
        await ada.send("/check")
        told = (await ada.wait_for("What could be better")).text
        assert "Nothing to be seen: 6. One colour all over" in told
