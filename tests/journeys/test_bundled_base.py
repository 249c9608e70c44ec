"""The bundled base in the place of the tests' tiny one: what `make demo` does, as short as it can be."""

from __future__ import annotations

import json

import pytest

from bot.playground import Picture
from tests.journeys.bot_process import ROOT, BotProcess
from tests.journeys.conftest import Settings
from tests.journeys.visitor import PATIENCE, arrive, check_pack, draw, train
from tests.patient_person import PatientPerson

DEMO = ROOT / "data" / "demo"


@pytest.fixture
def settings() -> Settings:
    """The settings that ship, with a training of a few steps."""
    return {
        "engine": {"devices": "cpu"},
        "train": {"steps": 3, "checkpoint_steps": 3},
        "sticker": {"steps": 8},
    }


def demo_samples(count: int) -> list[Picture]:
    lines = (DEMO / "metadata.jsonl").read_text().splitlines()[:count]
    entries = [json.loads(line) for line in lines]
    return [
        Picture(
            data=(DEMO / e["file_name"]).read_bytes(), name=e["file_name"], caption=e["text"], as_="document"
        )
        for e in entries
    ]


async def test_a_sticker_from_the_bundled_base(bot: BotProcess, ada: PatientPerson) -> None:
    """Five samples of the demo's data set, a short training, one sticker in a pack."""
    await arrive(ada, "bomux")
    await ada.album(demo_samples(5))
    await ada.wait_for("5 in all", PATIENCE)
    await train(ada)
    (sticker,) = await draw(ada, "a cat --seed 3")
    await ada.press(sticker, "add:")
    await ada.wait_for("1 sticker added", PATIENCE)
    await check_pack(ada, 1)


@pytest.mark.slow
async def test_the_first_minute(bot: BotProcess, ada: PatientPerson) -> None:
    """The ready-made style fits the bundled base: a newcomer draws in it, keeps a copy as a style, exports that."""
    await ada.send("/sticker a cat --seed 3")
    assert "In the ready-made style" in (await ada.wait_for("seed 3", PATIENCE)).text
    ready = ROOT / "lora" / "bundled" / "ready-style.safetensors"
    await ada.send_picture(ready, as_="document", caption="zuvix")
    await ada.wait_for("Your file is the style zuvix now", PATIENCE)
    await ada.send("/sticker a cat --seed 3 --cfg 4")
    assert "ready-made" not in (await ada.wait_for("seed 3", PATIENCE)).text
    await ada.send("/export")
    await ada.press(await ada.wait_for("What of zuvix shall I send", PATIENCE), "export:diffusers")
    await ada.wait_for("1 file sent", PATIENCE)
    await ada.send("/forgetme")
    await ada.press(await ada.wait_for("cannot be undone", PATIENCE), "forget:rows")
    await ada.wait_for("I have deleted everything", PATIENCE)
