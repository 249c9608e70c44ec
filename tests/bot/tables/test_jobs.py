"""Jobs as rows: inserted once, claimed in one statement, changed only by the attempt that is running."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot import migrations
from bot import store as store_module
from bot.store import Clash, Store
from bot.tables import comparisons, drawings, jobs, losses, people, samples, styles, trainings
from bot.tables.jobs import JobKind, JobState
from lora.jobs import DrawOptions

ADA, BEN = 1, 2
OPTIONS = DrawOptions(cfg=7.5, seed=1, count=2, negative_prompt="blue", outline_px=0)


@pytest.fixture(autouse=True)
async def two_people(store: Store) -> None:
    for id, keyword in ((ADA, "zuvix"), (BEN, "bomux")):
        await people.see(store, id=id, name="x", language="en")
        await styles.add(store, id, keyword)
        for number in range(2):
            await samples.add(
                store,
                style=id,
                file_unique_id=str(number),
                blob=f"blob{number}",
                kind="file",
                message_id=number,
                sent_at=0,
                draft=f"{keyword} fox" if number else None,
            )


async def draw(store: Store, origin: str, person: int = ADA) -> None:
    await jobs.ask_draw(
        store,
        person=person,
        origin=origin,
        style=None,
        adapter=None,
        keyword="",
        prompt="a fox",
        options=OPTIONS,
        note=None,
    )


async def train(store: Store, origin: str = "m", style: int = ADA) -> None:
    await jobs.ask_train(store, person=style, origin=origin, style=style, keyword="zuvix", steps=None, seed=0)


async def test_a_message_asks_once(store: Store) -> None:
    """Worked off twice, after a kill, it is still one job; another person's message 1 is another job."""
    await draw(store, "message 1")
    await draw(store, "message 1")
    await draw(store, "message 1", BEN)
    assert len(await jobs.active(store)) == 2


async def test_a_style_learns_once_at_a_time(store: Store) -> None:
    """A second training of a style waits until the first is over; another style need not."""
    await train(store)
    with pytest.raises(Clash):
        await train(store, "n")
    await train(store, "n", style=BEN)
    await jobs.cancel(store, ADA, 1)
    await train(store, "o")


async def test_a_training_works_on_the_samples_of_its_moment(store: Store) -> None:
    """What is removed or renamed later changes nothing; a picture without words gets the keyword."""
    await train(store)
    first, *_ = await samples.of_style(store, ADA)
    await store.change("DELETE FROM sample WHERE id = ?", first.id)
    await samples.caption(store, 2, "zuvix cat", samples.CaptionOrigin.PERSON)
    assert await trainings.samples(store, 1) == [("blob0", "zuvix"), ("blob1", "zuvix fox")]
    job = await jobs.get(store, 1)
    assert job is not None
    assert job.samples == 2


async def test_two_claims_never_get_one_job(store: Store) -> None:
    """Claiming is one statement."""
    for number in range(5):
        await draw(store, str(number))
    claimed = await asyncio.gather(*(jobs.claim(store, JobKind.DRAW) for _ in range(8)))
    assert sorted(job.id for job in claimed if job) == [1, 2, 3, 4, 5]
    assert all(job.attempt == 1 for job in claimed if job)


async def test_an_attempt_that_is_not_running_changes_nothing(store: Store) -> None:
    """The worker of an earlier attempt cannot end, fail, draw or checkpoint for the worker that has the job now."""
    await train(store)
    await draw(store, "d")
    old_train, old_draw = await jobs.claim(store, JobKind.TRAIN), await jobs.claim(store, JobKind.DRAW)
    assert old_train is not None
    assert old_draw is not None
    await jobs.requeue_all(store)
    await jobs.claim(store, JobKind.TRAIN)
    await jobs.claim(store, JobKind.DRAW)
    assert not await jobs.end(store, old_train.id, old_train.attempt, JobState.FAILED, "internal")
    assert await trainings.add_checkpoint(store, old_train, step=5, adapter="a", state="s") == ["a", "s"]
    await drawings.add(store, old_draw.id, old_draw.attempt, position=0, seed=1, blob="b")
    await losses.lose(store, [(old_draw.id, old_draw.attempt)], attempts=1)
    assert await drawings.of_job(store, old_draw.id) == []
    assert await trainings.resume_state(store, old_train.id) is None
    assert [job.state for job in await jobs.active(store)] == [JobState.RUNNING, JobState.RUNNING]
    assert await jobs.end(store, old_train.id, old_train.attempt + 1, JobState.DONE)


async def test_only_the_newest_state_of_a_training_is_kept(store: Store) -> None:
    """States are large; the older ones' names come back to be swept, adapters stay."""
    await train(store)
    job = await jobs.claim(store, JobKind.TRAIN)
    assert job is not None
    assert await trainings.add_checkpoint(store, job, step=100, adapter="a1", state="s1") == []
    assert await trainings.add_checkpoint(store, job, step=200, adapter="a2", state="s2") == ["s1"]
    assert await trainings.resume_state(store, job.id) == "s2"
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert (found.adapter, found.adapter_step, found.finished) == ("a2", 200, False)
    await jobs.end(store, job.id, job.attempt, JobState.DONE)
    assert await trainings.drop_states(store, job.id) == ["s2"]
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert (found.adapter, found.finished) == ("a2", True)


async def test_a_finished_adapter_is_not_replaced_by_an_unfinished_one(store: Store) -> None:
    """While a style is trained anew, it draws with what it had learned before."""
    await train(store, "first")
    job = await jobs.claim(store, JobKind.TRAIN)
    assert job is not None
    await trainings.add_checkpoint(store, job, step=300, adapter="finished", state="s")
    await jobs.end(store, job.id, job.attempt, JobState.DONE)
    await train(store, "second")
    job = await jobs.claim(store, JobKind.TRAIN)
    assert job is not None
    await trainings.add_checkpoint(store, job, step=100, adapter="halfway", state="t")
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert found.adapter == "finished"


async def test_losing_workers_is_forgiven_after_a_checkpoint(store: Store) -> None:
    """A job fails after so many dead workers, unless it got on in between."""
    await train(store)
    for _ in range(2):
        job = await jobs.claim(store, JobKind.TRAIN)
        assert job is not None
        await losses.lose(store, [(job.id, job.attempt)], attempts=3)
    job = await jobs.claim(store, JobKind.TRAIN)
    assert job is not None
    await trainings.add_checkpoint(store, job, step=100, adapter="a", state="s")
    for expected in (JobState.QUEUED, JobState.QUEUED, JobState.FAILED):
        await losses.lose(store, [(job.id, job.attempt)], attempts=3)
        now = await jobs.get(store, job.id)
        assert now is not None
        assert now.state == expected
        job = await jobs.claim(store, JobKind.TRAIN) or job


async def test_nobody_cancels_anothers_job(store: Store) -> None:
    """The number in a button's data does not give access to other people's jobs."""
    await draw(store, "d")
    assert await jobs.cancel(store, BEN, 1) is None
    assert await jobs.cancel(store, ADA, 1) is not None
    assert await jobs.cancel(store, ADA, 1) is None


async def test_deleting_a_style_names_all_its_blobs(store: Store) -> None:
    """Pictures, adapters and states are given back to be swept; the other person's stay."""
    await train(store)
    job = await jobs.claim(store, JobKind.TRAIN)
    assert job is not None
    await trainings.add_checkpoint(store, job, step=1, adapter="a", state="s")
    style = await styles.get(store, ADA, ADA)
    assert style is not None
    assert sorted(await styles.remove(store, style)) == ["a", "blob0", "blob1", "s"]
    assert await styles.all_of(store, ADA) == []
    assert len(await samples.of_style(store, BEN)) == 2
    assert (await people.get(store, ADA)).style is None


async def test_a_finished_training_replaces_the_one_before(store: Store) -> None:
    """Its checkpoints and sheet go; a draw that waits keeps its adapter, one that is over does not."""
    for origin, adapter in (("first", "old"), ("second", "new")):
        await train(store, origin)
        job = await jobs.claim(store, JobKind.TRAIN)
        assert job is not None
        await trainings.add_checkpoint(store, job, step=100, adapter=adapter, state="s")
        assert (
            await comparisons.add(store, job, chosen=100, scores=(), reasons=(), sheet=f"{adapter} sheet")
            == []
        )
        if origin == "second":
            assert await trainings.drop_outdated(store) == [], "it is not finished yet"
        await jobs.end(store, job.id, job.attempt, JobState.DONE)
        await draw(store, f"draw {origin}")
        await store.change("UPDATE job SET adapter = ? WHERE origin = ?", adapter, f"draw {origin}")
    assert sorted(await trainings.drop_outdated(store)) == ["old", "old sheet"]
    assert await store.value("SELECT adapter FROM job WHERE origin = 'draw first'") == "old"
    assert await trainings.drop_outdated(store) == []
    style = await styles.get(store, ADA, ADA)
    assert style is not None
    assert style.adapter == "new"


async def test_the_options_of_a_draw_are_read_as_they_were_written(store: Store) -> None:
    """All of them, and the states of the row are types."""
    await draw(store, "d")
    job = await jobs.get(store, 1)
    assert job is not None
    assert job.options == OPTIONS
    assert (type(job.kind), type(job.state), job.told) == (JobKind, JobState, False)


async def test_options_of_another_version_can_be_read(store: Store) -> None:
    """A field that is missing has its default; a field that is not known is ignored."""
    await draw(store, "d")
    await store.change("""UPDATE job SET options = '{"cfg": 3.0, "invented": 0.5}'""")
    job = await jobs.get(store, 1)
    assert job is not None
    assert job.options == DrawOptions(cfg=3.0)


async def test_a_database_with_a_column_for_each_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its draws keep their options, its trainings their steps, seed and number of samples; all states stay."""
    before = migrations.MIGRATIONS[: migrations.MIGRATIONS.index(migrations.DRAW_OPTIONS)]
    with monkeypatch.context() as old:
        old.setattr(store_module, "MIGRATIONS", before)
        store = await Store.open(tmp_path / "old.sqlite")
        await store.change("INSERT INTO person (id, name, language) VALUES (1, 'x', 'en')")
        await store.change("INSERT INTO style (person, keyword) VALUES (1, 'zuvix')")
        insert = (
            "INSERT INTO job (person, kind, style, origin, state, prompt, cfg, seed, steps, count, step, told)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        await store.change(insert, "draw", None, "a", "done", "a fox", 7.3, 2**31 - 2, 12, 4, 0, 1)
        await store.change(insert, "draw", 1, "b", "queued", "a cat", 5, 0, None, 1, 0, 0)
        await store.change(insert, "train", 1, "c", "running", "", 0, 9, 300, 23, 100, 0)
        await store.change(insert, "train", None, "d", "failed", "", 0, 1, None, 5, 0, 1)
        await store.change("INSERT INTO drawing (job, position, seed, blob) VALUES (1, 0, 5, 'b')")
        await store.close()
    for _ in range(2):
        store = await Store.open(tmp_path / "old.sqlite")
        found = [await jobs.get(store, id) for id in (1, 2, 3, 4)]
        await store.close()
        old_draw, waiting, training, failed = [job for job in found if job is not None]
        assert old_draw.options == DrawOptions(cfg=7.3, seed=2**31 - 2, steps=12, count=4)
        assert (old_draw.state, old_draw.told, old_draw.prompt) == (JobState.DONE, True, "a fox")
        assert (waiting.options, waiting.active) == (DrawOptions(cfg=5.0), True)
        assert (training.steps, training.seed, training.samples, training.step) == (300, 9, 23, 100)
        assert (training.state, training.kind) == (JobState.RUNNING, JobKind.TRAIN)
        assert (failed.steps, failed.samples, failed.state) == (None, 5, JobState.FAILED)
