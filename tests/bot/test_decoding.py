"""Pictures whose files the disk has lost, or half of them: they are named, and keep no others from being seen."""

from __future__ import annotations

import pytest

from bot.playground import Message, Person
from tests.bot.conftest import Running, Stage
from tests.bot.sample_pictures import GOOD
from tests.bot.styled import kept
from tests.bot.trainings import fill


async def lose(running: Running) -> None:
    """Cut the file of picture 2 off, and delete that of picture 3."""
    _, second, third, *_ = await kept(running)
    half, gone = (running.parts.blobs.path_of(sample.blob) for sample in (second, third))
    assert half is not None
    assert gone is not None
    half.write_bytes(half.read_bytes()[:100])
    gone.unlink()


async def test_lost_samples_are_named(stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture) -> None:
    """/samples shows the others, /check and /train say which are lost; without them all is well again."""
    async with stage.bot() as running:
        await fill(ada, list(GOOD[:8]))
        await lose(running)
        await ada.send("/samples")
        told = (await ada.wait_for("zuvix, 8 pictures")).text.splitlines()
        assert told[2:4] == ["2. — lost, write -2", "3. — lost, write -3"]
        assert "lost" not in "".join(told[4:])
        assert "a stored picture cannot be read any more: No such file" in caplog.text
        for command in ("/check", "/train"):
            await ada.send(command)
            await ada.wait_for("lost 2 pictures of yours: 2, 3. Write -2")
        await ada.send("-2, 3")
        await ada.wait_for("Removed: 2, 3")
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")


async def test_lost_stickers_are_grey_on_sheets(stage: Stage, ada: Person) -> None:
    """A pack is shown, with Telegram's own copy where it is known, and the drawings to choose another one from."""

    async def page() -> Message:
        await ada.send("/packs")
        await ada.press(await ada.wait_for("Your packs"), "pack:1")
        return await ada.wait_for(lambda message: message.kind == "photo")

    async with stage.bot() as running:
        await ada.send("/sticker a fox --n 2")
        await ada.wait_for("a fox · CFG")
        first = await ada.wait_for(lambda message: message.button("add:") is not None)
        await ada.press(first, "add:")
        await ada.wait_for("1 sticker added")
        for file in (stage.config.storage.dir / "blobs").glob("??/*"):
            file.write_bytes(file.read_bytes()[:100])
        shown = await page()
        await ada.press(shown, "item:")
        await ada.press(
            await ada.wait_for(lambda message: message.button("item:1:replace") is not None), "item:1:replace"
        )
        await ada.wait_for(lambda message: message.button("swap:") is not None)
        for file in (stage.config.storage.dir / "blobs").glob("??/*"):
            file.unlink()
        await page()
        await running.parts.store.change("UPDATE pack_item SET sticker = NULL, blob = ?", "0" * 64)
        await page()
