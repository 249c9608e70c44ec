"""The ready-made style: small, named as such, for whoever has none, and never one of theirs."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from pathlib import Path

import pytest

from bot import app, ready_style
from bot.blobs import Blobs
from bot.playground import Person
from bot.ready_style import FILE, MAX_BYTES
from bot.secret import Token
from bot.store import Store
from lora.engine import ENGINES
from lora.jobs import Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.trainings import ready_to_train


async def test_what_ships_is_small_and_says_its_base(store: Store, tmp_path: Path) -> None:
    """At most two megabytes; a second start keeps one row and one blob; the daily tidy leaves it."""
    assert FILE.stat().st_size <= MAX_BYTES
    blobs = Blobs(tmp_path / "blobs", store)
    for _ in range(2):
        found = await ready_style.load(store, blobs)
    assert found is not None
    await blobs.sweep_all()
    assert await blobs.read(found.adapter) == FILE.read_bytes()
    assert await store.value("SELECT count(*) FROM ready_style") == 1
    assert found.fits(found.base, "anything")
    assert found.fits(None, "sticker-nano")
    assert not found.fits(None, "sd-2.1")
    assert not found.fits("0" * 64, "sticker-nano")


async def test_a_file_that_is_no_adapter_is_no_style(store: Store, tmp_path: Path) -> None:
    """The bot starts without it."""
    (tmp_path / "x").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    assert await ready_style.load(store, Blobs(tmp_path / "blobs", store), tmp_path / "x") is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG])
async def test_a_start_on_a_full_disk_waits(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """The bot does not end; it serves people as soon as there is room."""
    tries = 0

    def write(self: Blobs, content: bytes) -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError(code, "no room")
        return original(self, content)

    original = Blobs._write
    monkeypatch.setattr(Blobs, "_write", write)
    monkeypatch.setattr("bot.supervise.FIRST_PAUSE", 0.01)
    monkeypatch.setitem(ENGINES, "fake", lambda settings: FakeEngine())
    await ada.send("/help")
    work = asyncio.create_task(app.run(stage.config, Token(stage.playground.token)))
    try:
        await ada.wait_for("Teach me a look")
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    assert tries == 3
    assert caplog.text.count("cannot start yet") == 1


async def test_in_it_while_the_persons_own_is_trained(stage: Stage, ada: Person) -> None:
    """The note tells of the training; nobody is told to begin a style who has one."""
    engine = FakeEngine(base_hash=(await _about(stage)).base)
    async with ready_to_train(stage, ada, engine):
        engine.go.clear()
        await ada.send("/train")
        await engine.given(Train)
        await ada.send("/sticker a fox --style bomux --seed 3")
        await ada.wait_for("I am still learning yours; /status tells")
        engine.go.set()
        await ada.wait_for("Your style zuvix is ready")
        await ada.send("/sticker a fox --style bomux --seed 4")
        await ada.wait_for("Yours are in /styles.")


async def test_newcomers_draw_in_it(stage: Stage, ada: Person) -> None:
    """Told in one line; the person's words stay theirs; it is in no pack of a style and none of their styles."""
    base = (await _about(stage)).base
    async with stage.bot(FakeEngine(base_hash=base)) as running:
        await ada.send("/start")
        await ada.wait_for("Hello")
        await ada.send("/sticker a red fox --seed 1")
        told = await ada.wait_for("seed 1")
        assert told.text.startswith("a red fox")
        assert "In the ready-made style. /new teaches me yours." in told.text
        assert running.engine.draw(0).prompt == "bomux a red fox"
        assert running.engine.draw(0).adapter == FILE.read_bytes()
        await ada.send("/new fazok")
        await ada.wait_for("fazok is open")
        await ada.send("/sticker a fox --style bomux --seed 3")
        assert "Yours are in /styles." in (await ada.wait_for("seed 3")).text
        await ada.send("/delete")
        await ada.press(await ada.wait_for("Delete style fazok"), "delete:")
        await ada.wait_for("fazok is deleted")
        await ada.send("/sticker a fox --style zuvix")
        await ada.wait_for("no style “zuvix”. There is: bomux")
        await ada.press(next(m for m in ada.messages if m.kind == "sticker"), "again:")
        await ada.wait_for(lambda message: "ready-made" in message.text and "seed 1\n" not in message.text)
        await ada.send("/styles")
        assert "✨ bomux: ready-made for everybody" in (await ada.wait_for("no style yet")).text
        await ada.send("/new bomux")
        await ada.wait_for("bomux is open")
        await ada.send("/sticker a red fox --seed 2")
        assert "your style: it is not trained yet" in (await ada.wait_for("seed 2\n")).text
        assert running.engine.draw().adapter is None
        assert await running.parts.store.value("SELECT count(*) FROM style") == 1


async def test_on_another_base_there_is_none(stage: Stage, ada: Person) -> None:
    """It was trained on the bundled base; elsewhere people draw without it and read so."""
    async with stage.bot() as running:
        await ada.send("/sticker a red fox --seed 1")
        told = await ada.wait_for("seed 1")
        assert "Drawn without a style" in told.text
        assert running.engine.draw(0).adapter is None
        await ada.send("/styles")
        assert "✨" not in (await ada.wait_for("no style yet")).text


async def _about(stage: Stage) -> ready_style.ReadyStyle:
    store = await Store.open(stage.config.storage.dir / "bot.sqlite")
    try:
        found = await ready_style.load(store, Blobs(stage.config.storage.dir / "blobs", store))
    finally:
        await store.close()
    assert found is not None
    return found
