"""Which job goes to which worker: people take turns, whatever the number of workers and people."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from bot.next_job import NextJob, Worker
from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from lora.jobs import MAX_BATCH


def draw(id: int, person: int, *, steps: int = 20, adapter: str | None = None, losses: int = 0) -> InLine:
    return InLine(id, person, JobKind.DRAW, False, False, 0, steps, adapter, losses)


def train(id: int, person: int, *, losses: int = 0) -> InLine:
    return InLine(id, person, JobKind.TRAIN, False, False, 0, None, None, losses)


def with_workers(count: int) -> NextJob:
    next_job = NextJob(attempts=3)
    for number in range(count):
        next_job.join(str(number + 1))
    return next_job


def choose(next_job: NextJob) -> tuple[int, str] | None:
    """The next job's id and its worker, as if it had been received."""
    placed = next_job.choose()
    if placed is None:
        return None
    placed.worker.receiving = False
    return placed.job.id, placed.worker.id


def choose_all(next_job: NextJob) -> list[tuple[int, str]]:
    found = []
    while (one := choose(next_job)) is not None:
        found.append(one)
    return found


def test_draws_are_spread_and_fill_up_by_turns() -> None:
    """Idle workers first; then each has as many as make a batch, of as many people."""
    next_job = with_workers(2)
    for id in range(1, 12):
        next_job.wait(draw(id, person=id))
    placed = choose_all(next_job)
    assert [id for id, _ in placed] == list(range(1, 2 * MAX_BATCH + 1))
    assert [worker for _, worker in placed[:2]] == ["1", "2"]
    assert Counter(worker for _, worker in placed) == {"1": MAX_BATCH, "2": MAX_BATCH}


def test_a_worker_has_as_many_draws_as_it_says() -> None:
    next_job = NextJob(attempts=3)
    next_job.join("1", draws=2 * MAX_BATCH)
    next_job.join("2")
    for id in range(1, 20):
        next_job.wait(draw(id, person=id))
    assert Counter(worker for _, worker in choose_all(next_job)) == {"1": 2 * MAX_BATCH, "2": MAX_BATCH}


def test_a_training_lives_on_one_worker_and_draws_avoid_it() -> None:
    """The second training goes to the other worker; a draw goes where no training holds it up."""
    next_job = with_workers(3)
    next_job.wait(train(1, person=1))
    next_job.wait(train(2, person=2))
    assert choose_all(next_job) == [(1, "1"), (2, "2")]
    next_job.wait(draw(3, person=3))
    assert choose(next_job) == (3, "3")


def test_trainings_are_spread_then_fill_the_workers_that_do_several() -> None:
    """A worker that trains three people at once gets three; when one of them ends, the next one."""
    next_job = NextJob(attempts=3)
    next_job.join("1", trainings=3)
    next_job.join("2")
    for id in range(1, 6):
        next_job.wait(train(id, person=id))
    assert choose_all(next_job) == [(1, "1"), (2, "2"), (3, "1"), (4, "1")]
    next_job.end(3)
    assert choose_all(next_job) == [(5, "1")]


def test_the_adapter_decides_only_between_equal_waits() -> None:
    """A draw goes where its adapter is, if nobody is nearer; never to a longer wait."""
    next_job = with_workers(3)
    next_job.wait(draw(1, person=1, adapter="a"))
    next_job.wait(draw(2, person=2, adapter="b"))
    assert choose_all(next_job) == [(1, "1"), (2, "2")]
    for id in (1, 2):
        next_job.end(id)
    next_job.wait(draw(3, person=3, adapter="b"))
    assert choose(next_job) == (3, "2")
    next_job.wait(draw(4, person=4, adapter="b"))
    assert choose(next_job) == (4, "1")


def test_nothing_waits_behind_a_job_that_is_on_its_way() -> None:
    """A worker gets the next job when it has received the one before."""
    next_job = with_workers(1)
    next_job.wait(train(1, person=1))
    next_job.wait(draw(2, person=2))
    placed = next_job.choose()
    assert placed is not None
    assert next_job.choose() is None
    placed.worker.receiving = False
    assert choose(next_job) == (1, "1")


def test_a_suspect_is_alone_and_the_other_workers_go_on() -> None:
    """A draw that was lost waits for the worker that is free soonest; that one gets nothing else meanwhile."""
    next_job = with_workers(2)
    next_job.wait(draw(1, person=1, steps=100))
    next_job.wait(draw(2, person=2, steps=20))
    assert choose_all(next_job) == [(1, "1"), (2, "2")]
    next_job.wait(draw(3, person=3, losses=1))
    next_job.wait(draw(4, person=4))
    assert choose_all(next_job) == [(4, "1")]
    next_job.end(2)
    assert choose(next_job) == (3, "2")
    next_job.wait(draw(5, person=5))
    assert choose_all(next_job) == [(5, "1")]


def test_a_last_attempt_keeps_one_worker_of_several() -> None:
    """A training that may not be lost again is alone until it has made a checkpoint."""
    next_job = with_workers(2)
    next_job.wait(train(1, person=1, losses=2))
    next_job.wait(draw(2, person=2))
    next_job.wait(draw(3, person=3))
    assert choose_all(next_job) == [(1, "1"), (2, "2"), (3, "2")]
    next_job.cleared(1)
    next_job.wait(draw(4, person=4))
    assert choose(next_job) == (4, "1")


def test_a_worker_that_leaves_takes_nothing_along() -> None:
    """Its jobs may wait again, first of all, and go to the others; a worker that comes back is empty."""
    next_job = with_workers(2)
    next_job.wait(train(1, person=1))
    for id in range(2, 9):
        next_job.wait(draw(id, person=id))
    placed = dict(choose_all(next_job))
    left = placed[1]
    next_job.leave(left)
    next_job.leave(left)
    assert choose(next_job) is None, "the other one is full"
    next_job.wait(train(1, person=1, losses=1), first=True)
    assert choose(next_job) == (1, "1" if left == "2" else "2")
    next_job.join(left)
    next_job.wait(draw(20, person=20))
    assert choose(next_job) == (20, left)


def test_a_job_that_ends_while_it_waits_is_not_given() -> None:
    """Cancelled, suspect or not."""
    next_job = with_workers(1)
    next_job.wait(draw(1, person=1, losses=1))
    next_job.wait(draw(2, person=2))
    for id in (1, 2, 2, 77):
        next_job.end(id)
    assert choose(next_job) is None


@dataclass
class Simulated:
    """Workers that make their jobs one after the other, each a random time long, and what was seen of them."""

    next_job: NextJob
    dice: random.Random
    now: float = 0.0
    ends: list[tuple[float, int, str]] = field(default_factory=list)  # heap of (time, job, worker)
    queues: dict[str, list[InLine]] = field(default_factory=lambda: defaultdict(list))
    served: list[tuple[float, InLine, str]] = field(default_factory=list)  # (begin, job, worker)

    def feed(self) -> None:
        while (placed := self.next_job.choose()) is not None:
            placed.worker.receiving = False
            self._queue(placed.job, placed.worker)

    def _queue(self, job: InLine, worker: Worker) -> None:
        lane = f"{worker.id} {job.kind}"
        self.queues[lane].append(job)
        if len(self.queues[lane]) == 1:
            self._begin(lane)

    def _begin(self, lane: str) -> None:
        job = self.queues[lane][0]
        self.served.append((self.now, job, lane))
        length = self.dice.uniform(1, 3) * (20 if job.kind == JobKind.TRAIN else 1)
        heapq.heappush(self.ends, (self.now + length, job.id, lane))

    def until(self, time: float) -> None:
        """Let time pass."""
        while self.ends and self.ends[0][0] <= time:
            self.now, id, lane = heapq.heappop(self.ends)
            if self.queues[lane] and self.queues[lane][0].id == id:
                self.queues[lane].pop(0)
                self.next_job.end(id)
                if self.queues[lane]:
                    self._begin(lane)
                self.feed()
        self.now = min(time, self.now) if time == float("inf") else time


def crowd(workers: int, people: int, seed: int) -> tuple[Simulated, dict[int, tuple[float, InLine]]]:
    """Everybody asks at a random moment: one in ten for ten jobs of one kind at once, the others for one."""
    dice = random.Random(seed)
    simulated = Simulated(with_workers(workers), dice)
    asked: dict[int, tuple[float, InLine]] = {}
    moments = sorted((dice.uniform(0, people / workers), person) for person in range(people))
    id = 0
    for moment, person in moments:
        simulated.until(moment)
        kind = JobKind.TRAIN if dice.random() < 0.05 else JobKind.DRAW
        for _ in range(10 if dice.random() < 0.1 else 1):
            id += 1
            job = (
                train(id, person) if kind == JobKind.TRAIN else draw(id, person, steps=dice.choice([10, 20]))
            )
            asked[id] = moment, job
            simulated.next_job.wait(job)
        simulated.feed()
    simulated.until(float("inf"))
    return simulated, asked


@pytest.mark.parametrize(
    ("workers", "people"), [(1, 1), (1, 200), (2, 500), (3, 1000), (8, 2000), (64, 10_000)]
)
def test_ten_jobs_delay_another_by_one_on_each_worker(workers: int, people: int) -> None:
    """Between the moment somebody asks for a single job and its beginning, no worker makes two of one other person."""
    simulated, asked = crowd(workers, people, seed=workers)
    assert len(simulated.served) == len(asked), "a job was lost or made twice"
    lanes: dict[str, list[tuple[float, InLine]]] = defaultdict(list)
    for begin, job, lane in simulated.served:
        lanes[lane].append((begin, job))
    jobs_of = Counter(job.person for _, job in asked.values())
    waited = 0
    for lane, services in lanes.items():
        for place, (begin, job) in enumerate(services):
            if jobs_of[job.person] > 1:
                continue
            moment, before, index = asked[job.id][0], Counter[int](), place - 1
            while index >= 0 and (index + 1 == place or services[index + 1][0] > moment):
                before[services[index][1].person] += 1  # it ended after the moment of asking
                index -= 1
            waited += begin > moment
            assert max(before.values(), default=0) <= 1, f"{before} on {lane}"
    assert people == 1 or waited, "nobody had to wait, so nothing was shown"
