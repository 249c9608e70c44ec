"""The bot is killed while it draws, delivers and fills a pack: each sticker is packed once."""

from __future__ import annotations

from hashlib import sha256

import pytest

from bot.playground import Fault, Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows, until
from tests.journeys.visitor import PATIENCE, check_pack, draw, packed
from tests.patient_person import PatientPerson

LONG = 3600.0  # seconds: an answer that the bot does not live to hear


async def kill_in(bot: BotProcess, unanswered: Fault) -> None:
    """Kill the bot when Telegram has done what it asked for, but not answered yet. Start it again."""
    await until(lambda: unanswered.done > 0)
    await bot.kill()
    await bot.start()


async def check_each_once(bot: BotProcess, ada: PatientPerson, count: int) -> None:
    """So many stickers on Telegram's rules, each the drawing of a button that was pressed, no drawing twice."""
    await check_pack(ada, count)
    there = [sha256(await ada.download(file_id)).hexdigest() for file_id in await packed(ada)]
    pressed = rows(
        bot, "SELECT drawing.blob FROM pack_sticker JOIN drawing ON drawing.id = pack_sticker.drawing"
    )
    assert sorted(there) == sorted(str(blob) for (blob,) in pressed)


async def test_drawing_and_delivering(
    bot: BotProcess, playground: Playground, ada: PatientPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a drawing and then between two stickers: all come, and all go into the pack once."""
    await ada.send("/start")
    await ada.wait_for("/new", PATIENCE)
    await bot.kill()
    with monkeypatch.context() as slow:
        slow.setenv("PICTURE_SECONDS", str(LONG))
        await bot.start()
    await ada.send("/sticker a red ball --seed 5 --n 3")
    asked = ada.seq
    await ada.wait_for("Drawing a red ball", PATIENCE)
    await until(lambda: rows(bot, "SELECT state FROM job") == [("running",)])
    await bot.kill()
    assert rows(bot, "SELECT * FROM drawing") == [], "the kill came too late to prove anything"
    unanswered = playground.faults.add(Fault(method="sendSticker", skip=1, slow_seconds=LONG))
    await bot.start()
    await kill_in(bot, unanswered)
    done = await ada.wait_for("seed 5–7", PATIENCE, since=asked)
    stickers = [message for message in ada.messages if message.kind == "sticker"]
    assert len({message.button("add:") for message in stickers}) == 3
    assert len(stickers) <= 4, "only the sticker whose answer was not heard may come once more"
    await ada.press(done, "Add all")
    await ada.wait_for("3 stickers added", PATIENCE)
    await check_each_once(bot, ada, 3)


async def test_adding(bot: BotProcess, playground: Playground, ada: PatientPerson) -> None:
    """Killed after the upload, before the adding, after the pack was made and after it grew: each is in once."""
    await ada.send("/start")
    await ada.wait_for("/new", PATIENCE)
    drawn = await draw(ada, "a blue ball --n 4")
    methods = ["createNewStickerSet", "uploadStickerFile", "getStickerSet", "addStickerToSet"]
    for count, (sticker, method) in enumerate(zip(drawn, methods, strict=True), start=1):
        unanswered = playground.faults.add(Fault(method=method, slow_seconds=LONG))
        await ada.press(sticker, "add:")
        await kill_in(bot, unanswered)
        await ada.wait_for("1 sticker added", PATIENCE)
        assert len(await packed(ada)) == count, method
    await check_each_once(bot, ada, 4)


@pytest.mark.slow
async def test_changing(bot: BotProcess, playground: Playground, ada: PatientPerson) -> None:
    """Killed after Telegram has changed the pack and before it answers: each change is made once, told, and undone."""
    await ada.send("/start")
    await ada.wait_for("/new", PATIENCE)
    await ada.press((await draw(ada, "a blue ball --n 4"))[0], "add:")
    await ada.wait_for("1 sticker added", PATIENCE)
    for sticker in [message for message in ada.messages if message.kind == "sticker"][1:3]:
        await ada.press(sticker, "add:")
        await ada.wait_for("1 sticker added", PATIENCE)
    before = await files(ada)
    orders = {
        "setStickerPositionInSet": "move 3 to 1",
        "setStickerEmojiList": "emoji 1 🐙",
        "setStickerSetThumbnail": "cover 2",
        "deleteStickerFromSet": "delete 2",
    }
    for method, order in orders.items():
        unanswered = playground.faults.add(Fault(method=method, slow_seconds=LONG))
        await ada.send(f"/packs {order}")
        since = ada.seq
        await kill_in(bot, unanswered)
        await ada.wait_for("✓", PATIENCE, since=since)
    assert await files(ada) == [before[2], before[1]]
    for method in ("addStickerToSet", *list(orders)[2::-1]):
        unanswered = playground.faults.add(Fault(method=method, slow_seconds=LONG))
        await ada.send("/undo")
        since = ada.seq
        await kill_in(bot, unanswered)
        await ada.wait_for("Taken back", PATIENCE, since=since)
    await until(lambda: rows(bot, "SELECT 1 FROM pack_change WHERE state IN ('wanted', 'calling')") == [])
    assert await files(ada) == before


async def files(person: PatientPerson) -> list[str]:
    """What the stickers of the person's packs show, in their order."""
    return [sha256(await person.download(file_id)).hexdigest() for file_id in await packed(person)]
