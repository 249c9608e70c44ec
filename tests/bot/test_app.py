"""A person's whole visit, through the real bot and the playground's server."""

from __future__ import annotations

from bot.playground import Person
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture


async def test_a_visit(stage: Stage, ada: Person) -> None:
    """From /start to a pack on Telegram, each step naming the next."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix")
        for number in range(6):
            await ada.send_picture(
                picture(128, 100, number), caption=f"a fox number {number}", as_="document"
            )
        await ada.wait_for("6 in all")
        await ada.send("/train")
        await ada.wait_for("is ready")
        await ada.send("/sticker a fox drinking coffee --cfg 7 --seed 5 --n 2")
        info = await ada.wait_for("seed 5–6")
        drawn = [message for message in ada.messages if message.kind == "sticker" and message.from_bot]
        assert len(drawn) == 2
        await ada.press(info, "Add all")
        await ada.wait_for("2 stickers added")
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 2
        assert pack["name"].endswith("_by_playground_bot")
        assert running.engine.draw().adapter == b"adapter of zuvix at 4"
        assert running.engine.draw().prompt == "zuvix a fox drinking coffee"
