"""The limit on the active jobs of one person."""

from __future__ import annotations

from bot.playground import Person
from bot.tables import jobs
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held


async def test_one_person_cannot_fill_the_line(stage: Stage, ada: Person) -> None:
    """The fourth job waits in the person's head."""
    async with stage.bot(held()) as running:
        for number in range(4):
            await ada.send(f"/sticker fox {number}")
        await ada.wait_for("3 things going on already")
        assert len(await jobs.active(running.parts.store)) == 3
