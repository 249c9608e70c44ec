"""A budget for the disk: warned at 80 %, no new trainings at 95 %; what people have stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bot.blobs import Blobs
from bot.config import Access
from bot.disk import GIGABYTE, Disk
from bot.playground import Person
from bot.store import Store
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.bot.trainings import fill, ready_to_train, trained


def budget(stage: Stage, bytes: float) -> None:
    """Let the data of the next bot take so many bytes."""
    storage = dataclasses.replace(stage.config.storage, max_gb=bytes / GIGABYTE)
    stage.config = dataclasses.replace(stage.config, storage=storage)


async def test_no_training_begins_when_the_budget_is_used_up(stage: Stage, ada: Person) -> None:
    """Pictures are taken and drawings are made; admins are told; with a larger budget it goes on."""
    budget(stage, 1000)
    async with ready_to_train(stage, ada, access=Access(admins=(ada.id,))):
        await ada.send("/train")
        await ada.wait_for("I cannot learn for now")
        await ada.wait_for("I begin no more trainings until there is more", since=0)
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("a fox · CFG 5 · seed 1")
    budget(stage, 0)
    async with stage.bot():
        await trained(ada)


async def test_admins_are_warned_at_four_fifths_of_the_budget(stage: Stage, ada: Person) -> None:
    """At four fifths, once."""
    async with stage.bot(access=Access(admins=(ada.id,))) as running:
        await fill(ada, [(picture(64, 64, 1), "a fox")])
        disk = running.parts.disk
        disk._max_bytes = int((await disk.use()).used / 0.85)
        for _ in range(2):
            await disk.look()
        await ada.wait_for("My data takes 85 % of the room")


async def test_blobs_are_counted_as_they_come_and_go(store: Store, tmp_path: Path) -> None:
    """Without another look at each file; the same content counts once."""
    blobs = Blobs(tmp_path / "blobs", store)
    assert await blobs.total() == 0
    async with blobs.keep(b"x" * 1000, b"y" * 500) as names:
        pass
    async with blobs.keep(b"x" * 1000):
        pass
    assert await blobs.total() == 1500
    await blobs.sweep(names[:1])
    assert await blobs.total() == 500
    await blobs.sweep_all()
    assert await blobs.total() == 0


@pytest.mark.parametrize(("max_gb", "most"), [(0.0, None), (1e-5, 10_000), (1e12, None)])
async def test_the_budget_is_never_more_than_there_is(
    store: Store, tmp_path: Path, max_gb: float, most: int | None
) -> None:
    """0, and more than the disk has, mean all that is free."""
    use = await Disk(folder=tmp_path, max_gb=max_gb, blobs=Blobs(tmp_path / "blobs", store)).use()
    assert use.used >= (tmp_path / "bot.sqlite").stat().st_size
    assert use.budget == most if most else use.used < use.budget < 1e21
