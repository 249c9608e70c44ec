"""A long line costs little, and its places and times are those of the rows."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.line import measure
from bot.estimates import Estimates
from bot.line import Line
from bot.schedule import Schedule
from bot.store import Store
from bot.tables import jobs, people, styles
from bot.tables.jobs import Job, JobKind, JobState
from lora.jobs import USUAL_STEPS, DrawOptions, Progress, Ready, TrainSettings

READY = Ready(
    worker="1",
    base="b",
    base_hash="h",
    device="cpu",
    defaults=TrainSettings(steps=300),
    example_prompt="an owl",
)


async def test_five_thousand_waiting_jobs(tmp_path: Path) -> None:
    """They take less than a twentieth of a core, also while the line moves: the least of three measurements counts."""
    shares = []
    for number in range(3):  # a busy machine makes the same work longer
        found = await measure(tmp_path / str(number), count=5000, seconds=1)
        shares.append(max(found["idle"], found["moving"]))
        if shares[-1] < 0.05:
            break
    assert min(shares) < 0.05


async def fill(store: Store, count: int) -> None:
    """Draws and trainings in a random order; each training is of a person of its own."""
    dice = random.Random(1)
    for id in range(1, count + 1):
        await people.see(store, id=id, name="x", language="en")
        await styles.add(store, id, "zuvix")
        if dice.random() < 0.3:
            steps = dice.choice([None, 100])
            await jobs.ask_train(store, person=id, origin="m", style=id, keyword="zuvix", steps=steps, seed=0)
            continue
        options = DrawOptions(steps=dice.choice([10, 20, None]), count=dice.choice([1, 3]))
        await jobs.ask_draw(
            store,
            person=id,
            origin="m",
            style=None,
            adapter=None,
            keyword="",
            prompt="a fox",
            options=options,
            note=None,
        )


def expected(job: Job, active: list[Job]) -> tuple[int, float]:
    """Place and seconds by adding up all jobs that are served before: 2 s a step of a training, 1 s of a draw."""

    def order(one: Job) -> tuple[bool, int]:
        return one.kind == JobKind.TRAIN, one.id

    def seconds(one: Job) -> float:
        if one.id == active[0].id:
            return 7.0  # it has said so
        if one.kind == JobKind.TRAIN:
            return 2.0 * ((one.steps or 300) - one.step)
        return 1.0 * (one.options.steps or USUAL_STEPS) * one.options.count

    before = [other for other in active if order(other) < order(job)]
    running = job.state == JobState.RUNNING
    waiting = [other for other in before if other.kind == job.kind and other.state != JobState.RUNNING]
    place = 0 if running else 1 + len(waiting)
    return place, sum(map(seconds, [*before, job]))


async def test_places_and_times_are_those_of_the_rows(store: Store) -> None:
    """Also of jobs that came after the copy was made, and with jobs that run."""
    await fill(store, 30)
    for kind in JobKind:
        await jobs.claim(store, kind)
    estimates = Estimates(store)
    await estimates.ready(READY)
    await estimates.line.refresh()
    await fill_more(store)
    active = await jobs.active(store)
    estimates.progress(JobKind.TRAIN, Progress(job=-1, attempt=1, step=1, steps=2, seconds_left=2.0))
    estimates.progress(JobKind.DRAW, Progress(job=active[0].id, attempt=1, step=1, steps=9, seconds_left=7.0))
    estimates.drawn(active[1], float((active[1].options.steps or USUAL_STEPS) * active[1].options.count))
    for job in active[1:]:
        found = await estimates.estimate(job)
        assert (found.place, found.seconds) == expected(job, active)


async def test_a_job_that_has_ended_is_nobodys_place(store: Store) -> None:
    """At once, without reading the line again: the copy is as one that is read."""
    await fill(store, 30)
    line, read = Line(store), Line(store)
    await line.refresh()
    for _ in range(12):
        job = (await jobs.active(store))[0]
        await jobs.cancel(store, job.person, job.id)
        line.drop(job.id)
    await read.refresh()
    for kind, queue in line.queues.items():
        same = read.queues[kind]
        assert (queue.ids, queue.steps, queue.waiting) == (same.ids, same.steps, same.waiting)
    assert line.jobs == read.jobs


async def fill_more(store: Store) -> None:
    for kind in (None, 100):
        id = 100 + (kind or 0)
        await people.see(store, id=id, name="x", language="en")
        await styles.add(store, id, "zuvix")
        style = await store.value("SELECT id FROM style WHERE person = ?", id)
        await jobs.ask_train(store, person=id, origin="m", style=style, keyword="zuvix", steps=kind, seed=0)


async def test_who_is_far_behind_is_looked_at_seldom(store: Store) -> None:
    """The first every second, the tenth every 20 s; who has no message yet at once; who has ended never."""
    await fill(store, 30)
    await store.change("UPDATE job SET message_id = 1 WHERE id != 30")
    line = Line(store)
    await line.refresh()
    schedule = Schedule(line)
    person = {job.id: job.person for job in line.jobs.values()}
    assert schedule.due(0.0) == {person[30]}
    looks: dict[int, int] = dict.fromkeys(person.values(), 0)
    for second in range(1, 101):
        for one in schedule.due(float(second)):
            looks[one] += 1
    draws = line.queues[JobKind.DRAW].ids
    assert looks[person[draws[0]]] >= 99
    assert 3 <= looks[person[draws[10]]] <= 5
    job = await jobs.claim(store, JobKind.DRAW)
    assert job is not None
    await jobs.end(store, job.id, job.attempt, JobState.DONE)
    line._read_at = float("-inf")
    await line.refresh()
    assert job.person not in schedule.due(200.0) | schedule.due(300.0)
