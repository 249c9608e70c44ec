"""The main job from the first greeting to a pack on Telegram, through the real processes."""

from __future__ import annotations

import pytest

from bot.playground import Picture
from tests.journeys.bot_process import BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.visitor import (
    PATIENCE,
    arrive,
    captions_in_order,
    check_pack,
    draw,
    packed,
    picture,
    sticker_file,
    train,
)
from tests.patient_person import PatientPerson


@pytest.fixture
def settings(with_worker: Settings) -> Settings:
    """What is drawn comes from a worker process."""
    return with_worker


async def test_from_start_to_a_pack(bot: BotProcess, ada: PatientPerson) -> None:
    """Samples sent in every way, captioned in every way, become a style, stickers and a pack."""
    await arrive(ada)
    await ada.send_picture(sticker_file(1), as_="sticker", emoji="🦊")
    await ada.wait_for("1 in all", PATIENCE)
    await ada.send("a red fox")  # the next text
    await ada.wait_for("zuvix a red fox", PATIENCE)
    await ada.send_picture(picture(2), as_="photo", caption="a blue ball")
    sent = await ada.send_picture(picture(3), as_="document")
    await ada.wait_for("3 in all", PATIENCE)
    await ada.send("a green ball", reply_to=sent)
    await ada.wait_for("zuvix a green ball", PATIENCE)
    lines = "a cat\na dog\na hen"
    await ada.album([Picture(data=picture(n), caption=lines if n == 4 else "") for n in (4, 5, 6)])
    await ada.wait_for("6 in all", PATIENCE)
    called = ["a red fox", "a blue ball", "a green ball", "a cat", "a dog", "a hen"]
    assert await captions_in_order(ada) == [f"zuvix {caption}" for caption in called]

    await train(ada)
    assert any(
        "Learning zuvix from 6 pictures" in m.text or "I have learned zuvix" in m.text for m in ada.messages
    )

    drawn = await draw(ada, "a fox drinking coffee --cfg 7 --seed 5 --n 2", "CFG 7 · seed 5–6")
    assert len(drawn) == 2
    await ada.press(drawn[0], "add:")
    await ada.wait_for("1 sticker added", PATIENCE)
    assert len(await packed(ada)) == 1
    await ada.press(drawn[1], "add:")
    await ada.wait_for("1 sticker added", PATIENCE)
    (pack,) = await ada.packs()
    assert pack["name"].startswith("zuvix_")
    await check_pack(ada, 2)
    assert "Traceback" not in bot.log
