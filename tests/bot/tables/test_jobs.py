"""Jobs as rows: asked once, claimed in one statement, changed only by the attempt that is running."""

from __future__ import annotations

import asyncio

import pytest

from bot.store import Clash, Store
from bot.tables import comparisons, drawings, jobs, people, samples, styles, trainings

ADA, BEN = 1, 2


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
        cfg=5,
        seed=1,
        steps=20,
        count=2,
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
    await samples.remove(store, ADA, (await samples.of_style(store, ADA))[0], "x")
    await samples.caption(store, 2, "zuvix cat", "person")
    assert await trainings.samples(store, 1) == [("blob0", "zuvix"), ("blob1", "zuvix fox")]
    job = await jobs.get(store, 1)
    assert job is not None
    assert job.count == 2


async def test_two_claims_never_get_one_job(store: Store) -> None:
    """Claiming is one statement."""
    for number in range(5):
        await draw(store, str(number))
    claimed = await asyncio.gather(*(jobs.claim(store, "draw") for _ in range(8)))
    assert sorted(job.id for job in claimed if job) == [1, 2, 3, 4, 5]
    assert all(job.attempt == 1 for job in claimed if job)


async def test_a_voice_from_the_past_changes_nothing(store: Store) -> None:
    """A worker thought dead cannot end, fail, draw or checkpoint for the one that took over."""
    await train(store)
    await draw(store, "d")
    old_train, old_draw = await jobs.claim(store, "train"), await jobs.claim(store, "draw")
    assert old_train is not None
    assert old_draw is not None
    await jobs.requeue_all(store)
    await jobs.claim(store, "train")
    await jobs.claim(store, "draw")
    assert not await jobs.end(store, old_train.id, old_train.attempt, "failed", "internal")
    assert await trainings.add_checkpoint(store, old_train, step=5, adapter="a", state="s") == ["a", "s"]
    await drawings.add(store, old_draw.id, old_draw.attempt, position=0, seed=1, blob="b")
    await jobs.lose(store, old_draw.id, old_draw.attempt, blame=True, attempts=1)
    assert await drawings.of_job(store, old_draw.id) == []
    assert await trainings.resume_state(store, old_train.id) is None
    assert [job.state for job in await jobs.active(store)] == ["running", "running"]
    assert await jobs.end(store, old_train.id, old_train.attempt + 1, "done")


async def test_only_the_newest_state_of_a_training_is_kept(store: Store) -> None:
    """States are large; the older ones' names come back to be swept, adapters stay."""
    await train(store)
    job = await jobs.claim(store, "train")
    assert job is not None
    assert await trainings.add_checkpoint(store, job, step=100, adapter="a1", state="s1") == []
    assert await trainings.add_checkpoint(store, job, step=200, adapter="a2", state="s2") == ["s1"]
    assert await trainings.resume_state(store, job.id) == "s2"
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert (found.adapter, found.adapter_step, found.finished) == ("a2", 200, 0)
    await jobs.end(store, job.id, job.attempt, "done")
    assert await trainings.drop_states(store, job.id) == ["s2"]
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert (found.adapter, found.finished) == ("a2", 1)


async def test_a_finished_adapter_is_not_replaced_by_an_unfinished_one(store: Store) -> None:
    """While a style is trained anew, it draws with what it had learned before."""
    await train(store, "first")
    job = await jobs.claim(store, "train")
    assert job is not None
    await trainings.add_checkpoint(store, job, step=300, adapter="finished", state="s")
    await jobs.end(store, job.id, job.attempt, "done")
    await train(store, "second")
    job = await jobs.claim(store, "train")
    assert job is not None
    await trainings.add_checkpoint(store, job, step=100, adapter="halfway", state="t")
    found = await styles.get(store, ADA, ADA)
    assert found is not None
    assert found.adapter == "finished"


async def test_losing_workers_is_forgiven_after_a_checkpoint(store: Store) -> None:
    """A job fails after so many dead workers, unless it got on in between."""
    await train(store)
    for _ in range(2):
        job = await jobs.claim(store, "train")
        assert job is not None
        await jobs.lose(store, job.id, job.attempt, blame=True, attempts=3)
    job = await jobs.claim(store, "train")
    assert job is not None
    await trainings.add_checkpoint(store, job, step=100, adapter="a", state="s")
    for expected in ("queued", "queued", "failed"):
        await jobs.lose(store, job.id, job.attempt, blame=True, attempts=3)
        now = await jobs.get(store, job.id)
        assert now is not None
        assert now.state == expected
        job = await jobs.claim(store, "train") or job


async def test_nobody_cancels_anothers_job(store: Store) -> None:
    """A button's number is not a key."""
    await draw(store, "d")
    assert await jobs.cancel(store, BEN, 1) is None
    assert await jobs.cancel(store, ADA, 1) is not None
    assert await jobs.cancel(store, ADA, 1) is None


async def test_deleting_a_style_names_all_its_blobs(store: Store) -> None:
    """Pictures, adapters and states are given back to be swept; the other person's stay."""
    await train(store)
    job = await jobs.claim(store, "train")
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
        job = await jobs.claim(store, "train")
        assert job is not None
        await trainings.add_checkpoint(store, job, step=100, adapter=adapter, state="s")
        assert (
            await comparisons.add(store, job, chosen=100, scores=(), reasons=(), sheet=f"{adapter} sheet")
            == []
        )
        if origin == "second":
            assert await trainings.drop_outdated(store) == [], "it is not finished yet"
        await jobs.end(store, job.id, job.attempt, "done")
        await draw(store, f"draw {origin}")
        await store.change("UPDATE job SET adapter = ? WHERE origin = ?", adapter, f"draw {origin}")
    assert sorted(await trainings.drop_outdated(store)) == ["old", "old sheet"]
    assert await store.value("SELECT adapter FROM job WHERE origin = 'draw first'") == "old"
    assert await trainings.drop_outdated(store) == []
    style = await styles.get(store, ADA, ADA)
    assert style is not None
    assert style.adapter == "new"
