"""What an engine is asked for."""

from __future__ import annotations

from bot.playground import Person
from lora.jobs import Draw
from tests.bot.conftest import Stage


async def test_the_words_that_only_the_chat_shows_stay_there(stage: Stage, ada: Person) -> None:
    """The negative prompt and the outline travel as the worker needs them, and are shown as they were written."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await ada.send("/sticker лиса без шапки --no очки --outline красный --seed 7")
        told = (await ada.wait_for("seed 7")).text
        assert "очки" in told
        assert "красный" in told
        (job,) = running.engine.jobs
        assert isinstance(job, Draw)
        assert "лиса без шапки" in told
        assert job.options.negative_prompt == "glasses, a hat"
        assert job.options.outline.startswith("#")
        options = job.options
        assert (options.negative_written, options.outline_written, options.prompt_written) == ("", "", "")
