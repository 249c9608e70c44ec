"""Which waiting job goes to which worker next. Nothing is read or written here: ``bot.dispatch`` does that.

Draws go before trainings. People take turns (``bot.turns``). A worker has as many trainings and draws as it says,
and of each person one draw: a person's many draws keep another's waiting by one per worker.

A job that a worker may have died of is tried alone, so that the next loss shows whether it was the cause. One worker
is kept free for it; the others go on.

- A draw that was lost is drawn alone, before all other jobs. That takes seconds.
- A training that was lost goes on beside draws, because alone it would keep them waiting. Only its last attempt is
  made alone, until its next checkpoint. A single worker first makes the draws that are older than the training.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from bot.turns import Turns
from lora.jobs import MAX_BATCH

TRAINING_STEPS = (
    10  # denoising steps that take as long as the training step for which a batch may have to wait
)
ADAPTERS = 16  # the newest ones are taken to be at hand: a worker on a GPU has at least so many slots


@dataclass(kw_only=True)
class Worker:
    """A worker that takes jobs, and the jobs that it has."""

    id: str
    draws: dict[int, InLine] = field(default_factory=dict)
    trainings: dict[int, InLine] = field(default_factory=dict)
    most_trainings: int = 1  # that it may have at once
    most_draws: int = MAX_BATCH
    alone: bool = False  # has a job that it may die of, and gets no other
    receiving: bool = False  # a job is on its way: the next one would wait behind it
    adapters: deque[str] = field(default_factory=lambda: deque(maxlen=ADAPTERS))  # that it has drawn with

    @property
    def idle(self) -> bool:
        """Whether it has no job."""
        return not self.draws and not self.trainings

    @property
    def wait(self) -> int:
        """Denoising steps that it has to make before it could begin with another draw."""
        steps = sum(job.steps or 0 for job in self.draws.values())
        return steps + TRAINING_STEPS * len(self.trainings)

    def takes(self, draw: InLine) -> bool:
        """Whether it may have this draw beside those that it has."""
        people = (job.person for job in self.draws.values())
        return len(self.draws) < self.most_draws and draw.person not in people


class Placed(NamedTuple):
    """A job and the worker that it goes to."""

    job: InLine
    worker: Worker


class NextJob:
    """The jobs that wait, the workers, and the jobs that these have."""

    def __init__(self, *, attempts: int) -> None:
        self._attempts = attempts  # as many losses fail a job
        self.workers: dict[str, Worker] = {}
        self._turns = {kind: Turns() for kind in JobKind}
        self._suspects: dict[int, InLine] = {}  # by id: waiting draws that a worker may have died of
        self._held: dict[int, tuple[InLine, Worker]] = {}  # by job

    def join(self, worker: str, *, trainings: int = 1, draws: int = MAX_BATCH) -> None:
        """A worker takes jobs: so many trainings and draws at once."""
        self.workers[worker] = Worker(id=worker, most_trainings=trainings, most_draws=draws)

    def leave(self, worker: str) -> None:
        """A worker is gone. Its jobs are forgotten here: those that wait again are added again."""
        if (gone := self.workers.pop(worker, None)) is not None:
            for job in [*gone.draws.values(), *gone.trainings.values()]:
                self.end(job.id)

    def wait(self, job: InLine, *, first: bool = False) -> None:
        """A job waits; with ``first`` it goes before those of other people, because it has waited before."""
        if job.kind == JobKind.DRAW and job.losses:
            self._suspects[job.id] = job
        else:
            self._turns[job.kind].add(job, first=first)

    def end(self, id: int) -> None:
        """A job neither waits any more nor is with a worker."""
        if (held := self._held.pop(id, None)) is not None:
            job, worker = held
            worker.draws.pop(id, None)
            worker.trainings.pop(id, None)
            worker.alone = False if worker.idle else worker.alone
            self._turns[job.kind].release(job.person)
            return
        self._suspects.pop(id, None)
        for turns in self._turns.values():
            turns.remove(id)

    def cleared(self, id: int) -> None:
        """The training has made a checkpoint, so its worker may have other jobs too."""
        if id in self._held:
            self._held[id][1].alone = False

    def choose(self) -> Placed | None:
        """Decide on the next job and give it to its worker; None if none can go anywhere now."""
        placed = self._decide([one for one in self.workers.values() if not one.alone and not one.receiving])
        if placed is not None:
            self._give(*placed)
        return placed

    def _decide(self, workers: list[Worker]) -> Placed | None:
        suspect = self._suspects[min(self._suspects)] if self._suspects else None
        if suspect is not None:
            target = _soonest_idle(workers)
            if target is not None and target.idle:
                return Placed(suspect, target)
            workers = [one for one in workers if one is not target]
        train = None if suspect is not None else self._turns[JobKind.TRAIN].first(lambda job: True)
        roomy = [one for one in workers if len(one.trainings) < one.most_trainings]
        if train is None or not roomy or not self._last_attempt(train):
            return self._draw(workers) or self._train(train, roomy)
        target = min(roomy, key=_wait)
        draw = self._first_draw(workers)
        others_first = len(workers) == 1 and draw is not None and draw.id < train.id
        if target.idle and not others_first:
            return Placed(train, target)
        return self._draw(workers if others_first else [one for one in workers if one is not target])

    def _draw(self, workers: list[Worker]) -> Placed | None:
        """The next draw, to the worker with the shortest wait; of equal ones, to one that has its adapter."""
        job = self._first_draw(workers)
        if job is None:
            return None
        able = [one for one in workers if one.takes(job)]
        return Placed(job, min(able, key=lambda one: (one.wait, job.adapter not in one.adapters)))

    def _first_draw(self, workers: list[Worker]) -> InLine | None:
        """The next draw that one of these workers may have."""
        free = [one for one in workers if len(one.draws) < one.most_draws]
        if not free:
            return None
        return self._turns[JobKind.DRAW].first(lambda job: any(one.takes(job) for one in free))

    def _train(self, job: InLine | None, workers: list[Worker]) -> Placed | None:
        if job is None or not workers:
            return None
        return Placed(job, min(workers, key=_wait))

    def _give(self, job: InLine, worker: Worker) -> None:
        if job.kind == JobKind.TRAIN:
            worker.trainings[job.id] = job
            worker.alone = self._last_attempt(job)
        else:
            worker.draws[job.id] = job
            worker.alone = bool(job.losses)
            if job.adapter and job.adapter not in worker.adapters:
                worker.adapters.append(job.adapter)
        worker.receiving = True
        self._held[job.id] = job, worker
        self._turns[job.kind].take(job)
        self._suspects.pop(job.id, None)

    def _last_attempt(self, job: InLine) -> bool:
        """Whether the job fails if its worker dies once more."""
        return 0 < job.losses >= self._attempts - 1


def _soonest_idle(workers: Iterable[Worker]) -> Worker | None:
    """The worker that will have no job soonest. A training lasts, so a worker that has one is not waited for."""
    return min((one for one in workers if not one.trainings), key=_wait, default=None)


def _wait(worker: Worker) -> int:
    return worker.wait
