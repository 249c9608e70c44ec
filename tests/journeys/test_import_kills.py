"""Killed while it takes a pack, twice: every sticker is a sample exactly once, in one message."""

from __future__ import annotations

from bot.playground import Fault, Picture, Playground
from tests.bot.sample_pictures import drawing
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows, until
from tests.journeys.visitor import PATIENCE
from tests.patient_person import PatientPerson

LONG = 3600.0  # seconds: an answer that the bot does not live to hear


async def test_taking_a_pack(bot: BotProcess, playground: Playground, ada: PatientPerson) -> None:
    """Killed while it looks into the pack, and in the middle of fetching its stickers."""
    count = 5
    stickers = [Picture(data=drawing(n), as_="sticker", emoji="🦊") for n in range(count)]
    await ada.publish("Foxes", "All foxes", stickers)
    await ada.send("/new zuvix")
    await ada.wait_for("zuvix is open", PATIENCE)
    faults = [
        Fault(method="getStickerSet", slow_seconds=LONG),
        Fault(method="getFile", skip=2, slow_seconds=LONG),
    ]
    asked = ada.seq
    await ada.send("t.me/addstickers/Foxes")
    for fault in faults:
        playground.faults.add(fault)
        await until(lambda fault=fault: fault.done > 0)  # type: ignore[misc]
        await bot.kill()
        await bot.start()
    told = await ada.wait_for(f"{count} new pictures for zuvix, {count} in all", PATIENCE, since=asked)
    assert len({message.id for message in ada.heard(asked)}) <= 2, "one more only if a kill hid the first"
    found = rows(bot, "SELECT file_unique_id, blob FROM sample")
    assert len({id for id, _ in found}) == len({blob for _, blob in found}) == len(found) == count
    await ada.press(told, "undo:")
    await ada.wait_for("0 pictures are left", PATIENCE)
    await until(lambda: rows(bot, "SELECT count(*) FROM sample") == [(0,)])
