"""Any process may be killed at any moment: nothing that people sent is lost, nothing is done twice."""

from __future__ import annotations

import asyncio

from bot.playground import Fault, Playground
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows, until
from tests.journeys.visitor import PATIENCE, arrive, captions_in_order, picture
from tests.patient_person import PatientPerson

LONG = 3600.0  # seconds: an answer that the bot does not live to hear


async def test_collecting(bot: BotProcess, ada: PatientPerson, playground: Playground) -> None:
    """24 pictures are sent quickly and the bot is killed in the middle: all are there, once, in order."""
    await arrive(ada)
    unanswered = playground.faults.add(Fault(method="getFile", skip=8, slow_seconds=LONG))
    sending = asyncio.create_task(send_quickly(ada, 24))
    await until(lambda: unanswered.done > 0)
    await bot.kill()
    assert rows(bot, "SELECT count(*) FROM sample") == [(8,)]
    await sending
    await bot.start()
    await ada.wait_for("24 in all", PATIENCE)
    assert await captions_in_order(ada) == [f"zuvix ball number {number}" for number in range(24)]


async def test_pictures_sent_while_the_bot_is_down(bot: BotProcess, ada: PatientPerson) -> None:
    """What comes between a kill and the next start is worked off in order, before what comes then."""
    await arrive(ada)
    await bot.kill()
    await send_quickly(ada, 6)
    await bot.start()
    await ada.send("/samples")
    await ada.wait_for(lambda message: message.kind == "photo" and "6 pictures" in message.text, PATIENCE)


async def send_quickly(ada: PatientPerson, count: int) -> None:
    """So many pictures with captions, without waiting for answers."""
    for number in range(count):
        await ada.send_picture(picture(number), as_="document", caption=f"ball number {number}")
