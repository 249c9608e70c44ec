"""A new option of /sticker needs its field, its parser and its use; everything between passes it on."""

from __future__ import annotations

import io
from dataclasses import field, fields, make_dataclass
from pathlib import Path

import pytest

from bot import sticker_options
from bot.config import Sticker
from bot.playground import Person
from bot.tables import jobs
from lora.engine import wire
from lora.jobs import Draw, DrawOptions
from tests.bot.conftest import Stage

ROOT = Path(__file__).parents[2]
BETWEEN = (
    "bot/tables/jobs.py",
    "bot/dispatch.py",
    "lora/engine/local.py",
    "lora/engine/wire.py",
    "lora/engine/worker.py",
    "lora/engine/draw_queue.py",
)

More = make_dataclass(
    "DrawOptions",
    [("wobble", float, field(default=1.0))],
    bases=(DrawOptions,),
    frozen=True,
    kw_only=True,
)


@pytest.fixture
def wobble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The field and the parser of a new option, --wobble; nothing else is changed."""

    def parse(text: str, settings: Sticker) -> dict[str, float]:
        return {"wobble": float(text)}

    for module in (sticker_options, jobs):
        monkeypatch.setattr(module, "DrawOptions", More)
    monkeypatch.setitem(wire.KINDS, "DrawOptions", More)
    monkeypatch.setitem(sticker_options.OPTIONS, "wobble", parse)
    monkeypatch.setattr(sticker_options, "KNOWN", [*sticker_options.KNOWN, "wobble"])


@pytest.mark.usefixtures("wobble")
async def test_a_new_option_reaches_the_worker(stage: Stage, ada: Person) -> None:
    """From the text, through the row and the pipe; the buttons below the sticker keep it."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --wobble 0.5 --seed 7")
        await ada.wait_for("seed 7")
        sticker = next(message for message in ada.messages if message.kind == "sticker")
        for button in ("again:", "stricter"):
            await ada.press(sticker, button)
            await ada.wait_for(lambda message: message.kind == "sticker")
        await ada.send("/sticker a cat --seed 8")
        await ada.wait_for("seed 8")
        received = [wire.read(io.BytesIO(wire.pack(job))) for job in running.engine.jobs]
    assert received == running.engine.jobs
    options = [job.options for job in received if isinstance(job, Draw)]
    assert [getattr(one, "wobble", None) for one in options] == [0.5, 0.5, 0.5, 1.0]


@pytest.mark.usefixtures("wobble")
async def test_a_draw_from_before_the_option_has_its_default(stage: Stage, ada: Person) -> None:
    """Its row does not name the field."""
    async with stage.bot() as running:
        await ada.send("/sticker a fox --seed 7")
        await ada.wait_for("seed 7")
        store = running.parts.store
        await store.change("UPDATE job SET options = json_remove(options, '$.wobble')")
        job = await jobs.get(store, 1)
    assert job is not None
    assert job.options == More(seed=7)


@pytest.mark.parametrize("path", BETWEEN)
@pytest.mark.parametrize("name", ["cfg", "negative_prompt", "outline_px"])
def test_no_file_between_parser_and_use_names_an_option(path: str, name: str) -> None:
    """Steps, seed and count are left out here: trainings have such values too."""
    assert name in {entry.name for entry in fields(DrawOptions)}
    assert name not in (ROOT / path).read_text(encoding="utf-8")
