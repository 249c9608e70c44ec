"""A LoRA file sent to the bot becomes a style of its person, or is refused with the reason."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load, save

from bot.playground import Fault, Person
from bot.ready_style import FILE
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import stored_files
from tests.lora.adapters.test_fit import layers_of


@pytest.fixture
def engine() -> FakeEngine:
    """A worker with the bundled base's layers."""
    from lora.models import sticker_nano

    data = FILE.read_bytes()
    size = int.from_bytes(data[:8], "little")
    about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["stickersmith"])
    engine = FakeEngine(base_hash=about["base_hash"])
    engine.layers = tuple(layers_of(sticker_nano.UNET).items())
    return engine


async def send(ada: Person, data: bytes, name: str = "my.safetensors", caption: str = "") -> None:
    await ada.send_picture(data, as_="document", name=name, caption=caption)


async def test_a_file_becomes_a_style(stage: Stage, ada: Person, engine: FakeEngine) -> None:
    """It draws with the keyword that it was trained with, can be shared and deleted, and has no samples."""
    async with stage.bot(engine) as running:
        await ada.send("/start")
        await ada.wait_for("Hello")
        await send(ada, FILE.read_bytes(), caption="zuvix")
        await ada.wait_for("Your file is the style zuvix now")
        await ada.send("/sticker a red fox --seed 3")
        told = await ada.wait_for("seed 3")
        assert "ready-made" not in told.text
        assert told.text.startswith("zuvix a red fox"), "people read the style's name"
        assert engine.draw().prompt == "bomux a red fox"
        assert engine.draw().adapter == FILE.read_bytes()
        for command in ("/train", "/samples"):
            await ada.send(command)
            await ada.wait_for("came as a file, without pictures")
        await send(ada, FILE.read_bytes(), caption="Red fox")
        told = await ada.wait_for("Your file is the style bomux now")
        assert "“red fox” cannot be a keyword" in told.text
        await send(ada, FILE.read_bytes(), caption="zuvix")
        assert "You have a style zuvix already" in (await ada.wait_for("Your file is the style")).text
        await send(ada, FILE.read_bytes())
        told = await ada.wait_for("Your file is the style")
        assert "bomux" not in told.text.split("/")[0], "each file is a style of its own"
        assert (
            await running.parts.store.value("SELECT coalesce(sum(used), 0) FROM usage WHERE kind = 'train'")
            == 0
        )
        await ada.send("/share")
        await ada.wait_for("Whoever opens this link")
        for _ in range(3):
            await ada.send("/styles")
            listed = await ada.wait_for("Your styles")
            assert ": from your file, ready to draw" in listed.text
            assert "0 pictures" not in listed.text
            await ada.press(listed, "style:")
            await ada.wait_for("now: from your file.")
            await ada.send("/delete")
            await ada.press(await ada.wait_for("cannot be undone"), "delete:")
            await ada.wait_for("is deleted")
        assert stored_files(stage) == []


async def test_files_that_are_no_style(stage: Stage, ada: Person, engine: FakeEngine) -> None:
    """Another base, another method, no LoRA, weights that may hold a program; nothing of them is kept."""
    tensors = load(FILE.read_bytes())
    larger = save({name: tensor.repeat(1, 2) for name, tensor in tensors.items()})
    dora = save({name.replace("lora_A.weight", "dora_scale"): tensor for name, tensor in tensors.items()})
    astray = save(tensors | {max(tensors): tensors[max(tensors)] * float("nan")})
    async with stage.bot(engine) as running:
        await ada.send("/start")
        await ada.wait_for("Hello")
        for data, name, told in (
            (larger, "x.safetensors", "is for another model"),
            (dora, "x.safetensors", "no plain LoRA"),
            (astray, "x.safetensors", "weights that are no numbers, or infinite"),
            (b"nonsense" * 99, "X.SAFETENSORS", "no safetensors file"),
            (b"x", "x.ckpt", "can hold programs"),
            (b"x", "x.pt", "can hold programs"),
        ):
            await send(ada, data, name)
            await ada.wait_for(told)
        assert await running.parts.store.value("SELECT count(*) FROM style") == 0
        assert stored_files(stage) == []


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("wrong file_id", "Telegram does not have that file any more"),
        ("file is too big", "A LoRA of a lower rank"),
    ],
)
async def test_a_file_that_telegram_does_not_give(
    stage: Stage,
    ada: Person,
    engine: FakeEngine,
    caplog: pytest.LogCaptureFixture,
    description: str,
    told: str,
) -> None:
    """It is told at once; no further try would get it."""
    async with stage.bot(engine):
        await ada.send("/start")
        await ada.wait_for("Hello")
        stage.playground.faults.add(Fault(method="getFile", error=(400, f"Bad Request: {description}")))
        await send(ada, FILE.read_bytes())
        await ada.wait_for(told)
    assert "crash" not in caplog.text


async def test_of_another_base_and_before_a_worker_is_ready(stage: Stage, ada: Person) -> None:
    """What the file says of its base is believed; without a worker nothing can be said."""
    from lora.models import sticker_nano

    engine = FakeEngine()
    async with stage.bot(engine) as running:
        await send(ada, FILE.read_bytes())
        await ada.wait_for("I am just starting")
        running.parts.dispatch.layers = dict(layers_of(sticker_nano.UNET))
        await send(ada, FILE.read_bytes())
        await ada.wait_for("is for another model")


@pytest.mark.parametrize("caption", ["/new zuvix", "/новый Zuvix"])
async def test_new_in_a_caption_names_the_style_of_the_file(
    caption: str, stage: Stage, ada: Person, engine: FakeEngine
) -> None:
    """There is one style then, and not an empty one of that name beside one with a made-up name."""
    async with stage.bot(engine) as running:
        await ada.send("/start")
        await ada.wait_for("Hello")
        await send(ada, FILE.read_bytes(), caption=caption)
        told = await ada.wait_for("Your file is the style zuvix now")
        assert "cannot be a keyword" not in told.text
        rows = await running.parts.store.rows("SELECT keyword FROM style")
        assert [row["keyword"] for row in rows] == ["zuvix"]
