"""Nothing grows, and what is gone is gone: from every table and from every file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.blobs import Blobs
from bot.config import Storage
from bot.playground import Person
from bot.store import Store
from bot.tables import jobs, people, retention, styles, trainings
from bot.tables.jobs import JobKind, JobState
from bot.tidy import DAY, Tidy
from tests.bot.conftest import Running, Stage
from tests.bot.marked import files_with_marks, stored_files, visit, words_in
from tests.waiting import until_async


async def tidy(stage: Stage, running: Running, keep_days: int = 30) -> None:
    parts = running.parts
    await until_quiet(parts.store)
    storage = Storage(dir=stage.config.storage.dir, keep_days=keep_days)
    stage.monkeypatch.setattr(retention, "HALF_A_DAY", 0.0)
    for _ in range(2):  # notes without a time go at the second tidy
        await Tidy(store=parts.store, blobs=parts.blobs, storage=storage).tidy()


async def until_quiet(store: Store) -> None:
    """Wait until all updates are done and all ends are told."""
    query = "SELECT 1 FROM inbox WHERE done_at IS NULL UNION ALL SELECT 1 FROM job WHERE told = 0"

    async def quiet() -> bool:
        return await store.row(query) is None

    await until_async(quiet)


async def test_a_deleted_style_leaves_nothing(stage: Stage, ada: Person) -> None:
    """No caption, no prompt, no picture, in no row, no page, no log of the database and no file; the pack stays."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await until_quiet(running.parts.store)
        assert await words_in(running.parts.store)
        assert len(stored_files(stage)) >= 5 + 2 + 3
        await ada.send("/delete")
        await ada.press(await ada.wait_for("cannot be undone"), "delete:")
        await ada.wait_for("Style zuvix is deleted")
        assert await words_in(running.parts.store) == []
        assert stored_files(stage) == []
        await tidy(stage, running)
        assert files_with_marks(stage.config.storage.dir) == []
        (pack,) = await ada.packs()
        assert len(pack["stickers"]) == 1
        sticker = next(message for message in ada.messages if message.kind == "sticker")
        await ada.press(sticker, "again:")
        await ada.wait_for("do not have that sticker any more")


async def test_what_is_old_is_deleted(stage: Stage, ada: Person) -> None:
    """After the days that are configured: drawings that are in no pack, prompts, ended jobs. The style stays.

    Jobs go in batches, here of one, and past those that stay.
    """
    stage.monkeypatch.setattr(retention, "BATCH", 1)
    async with stage.bot() as running:
        await visit(stage, ada)
        store = running.parts.store
        await tidy(stage, running)
        assert len(stored_files(stage)) == 5 + 2 + 2 * 3, (
            "a style can be drawn with each checkpoint of its training"
        )
        await store.change("UPDATE job SET ended_at = ended_at - ?", 29 * DAY)
        await tidy(stage, running)
        assert await store.value("SELECT count(*) FROM drawing") == 3
        await store.change("UPDATE job SET ended_at = ended_at - ?", 2 * DAY)
        await tidy(stage, running)
        assert await store.value("SELECT count(*) FROM drawing") == 1
        assert not [place for place in await words_in(store) if "wubble" in place]
        assert {place.split(":")[0] for place in await words_in(store)} == {"sample.caption"}
        found = await styles.all_of(store, ada.id)
        assert (found[0].samples, found[0].finished) == (5, True)
        await ada.send("/sticker a cat --seed 7")
        await ada.wait_for("a cat · CFG 5 · seed 7")


async def test_trainings_that_were_cut_short_leave_nothing_that_grows(store: Store) -> None:
    """Of a style's ended trainings only the one that it draws with keeps its checkpoints."""
    await people.see(store, id=1, name="x", language="en")
    await styles.add(store, 1, "zuvix")
    ends = [JobState.CANCELLED, JobState.CANCELLED, JobState.DONE, JobState.FAILED, JobState.CANCELLED]
    kept = []
    for number, end in enumerate(ends):
        await jobs.ask_train(
            store, person=1, origin=str(number), style=1, keyword="zuvix", steps=None, seed=0
        )
        job = await jobs.claim(store, JobKind.TRAIN)
        assert job is not None
        await trainings.add_checkpoint(store, job, step=100, adapter=f"adapter {number}", state="s")
        assert f"adapter {number}" not in await trainings.drop_outdated(store), "it is running"
        await jobs.end(store, job.id, job.attempt, end)
        await trainings.drop_outdated(store)
        kept.append([row[0] for row in await store.rows("SELECT adapter FROM checkpoint")])
    assert kept == [["adapter 0"], ["adapter 1"], ["adapter 2"], ["adapter 2"], ["adapter 2"]]


async def test_notes_without_a_time_go_after_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of albums: those of before the last tidy. A bot that is started again and again forgets none sooner."""

    async def noted(number: int) -> list[int]:
        await store.change(
            "INSERT INTO album_item (person, message_id, album, caption) VALUES (1, ?, 'a', 'x')", number
        )
        await retention.forget_seen(store)
        return [row[0] for row in await store.rows("SELECT message_id FROM album_item")]

    for number in range(3):
        assert await noted(number) == [*range(number + 1)]
    monkeypatch.setattr(retention, "HALF_A_DAY", 0.0)
    assert await noted(3) == [1, 2, 3]
    assert await noted(4) == [4]


async def test_nobody_waits_for_the_tidy(store: Store, tmp_path: Path) -> None:
    """Other statements, which are committed together, go on beside it."""
    tidy = Tidy(store=store, blobs=Blobs(tmp_path / "blobs", store), storage=Storage(dir=tmp_path))
    tidied = 0

    async def write(id: int) -> None:
        while tidied < 20:
            await people.see(store, id=id, name=str(tidied), language="en")

    async with asyncio.timeout(20):
        writers = [asyncio.create_task(write(id)) for id in range(1, 6)]
        while tidied < 20:
            await tidy.tidy()
            tidied += 1
        await asyncio.gather(*writers)
    assert await store.value("SELECT count(*) FROM person") == 5
