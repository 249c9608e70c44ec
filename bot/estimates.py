"""Estimates of a job's place in the queue and the seconds until its end, from measured seconds per step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from bot.line import Line, Queue
from bot.store import Store
from bot.tables import settings
from bot.tables.jobs import Job, JobKind, JobState
from lora.jobs import USUAL_STEPS, Progress, Ready

NEWEST_WEIGHT = 0.3  # of the newest measurement in the exponential moving average


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """``place`` in the queue is 1 for the next job and 0 for a running one. None means not known yet.

    ``behind_own``: it waits for jobs of the same person and for nobody else's.
    """

    place: int
    seconds: float | None
    step: int
    steps: int | None
    loss: float | None
    behind_own: bool = False


class Estimates:
    """The measured seconds per step of each kind of job, and the newest Progress of each running job."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._progress: dict[int, Progress] = {}
        self._seconds: dict[JobKind, float] = {}  # per step; a step of a draw is one of one picture
        self._measured = False  # something that is not stored yet
        self._setting = ""  # the name under which they are stored
        self._train_steps: int | None = None  # the base's default
        self.workers = 1  # that take jobs; the line of draws passes so many times as fast
        self.trainings = 1  # that all workers do at once; so does the line of trainings
        self.line = Line(store)

    async def ready(self, event: Ready) -> None:
        """A worker has started: load what was measured on its base and device before."""
        kind = event.device.partition(":")[0]  # the GPUs of a machine are taken to be equally fast
        self._setting = f"seconds per step, {event.base} on {kind}"
        stored = await settings.read(self._store, self._setting) or {}
        self._seconds = {JobKind(kind): seconds for kind, seconds in stored.items()}
        self._train_steps = event.defaults.steps

    def progress(self, kind: JobKind, event: Progress) -> None:
        """Note how far a running job is."""
        self._progress[event.job] = event
        if kind == JobKind.TRAIN and 0 < event.step < event.steps:
            self._measure(kind, event.seconds_left / (event.steps - event.step))

    async def ended(self, job: int) -> None:
        """A job has ended: forget its progress and store what was measured."""
        self._progress.pop(job, None)
        self.line.drop(job)
        if self._setting and self._measured:
            self._measured = False
            await settings.write(self._store, self._setting, self._seconds)

    def drawn(self, job: Job, seconds: float) -> None:
        """A draw that was alone with the worker took ``seconds`` from its submission to its end."""
        if job.uncut is not None:
            return  # nothing was drawn
        self._measure(JobKind.DRAW, seconds / max(1, self._steps(job) or 1))

    async def estimate(self, job: Job) -> Estimate:
        """Estimate for an active job, from the copy of the line."""
        progress = self._progress.get(job.id)
        if job.state == JobState.RUNNING and progress is not None:
            return Estimate(
                place=0,
                seconds=progress.seconds_left,
                step=progress.step,
                steps=progress.steps,
                loss=progress.loss,
            )
        await self.line.include(job.id)
        queue = self.line.queues[job.kind.lane]
        place = 0 if job.state == JobState.RUNNING else 1 + queue.waiting[queue.place(job.id)]
        seconds = self._seconds_until_end(job)
        return Estimate(
            place=place,
            seconds=seconds,
            step=job.step,
            steps=self._steps(job),
            loss=None,
            behind_own=place > 0 and self._behind_own(queue, job),
        )

    def _behind_own(self, queue: Queue, job: Job) -> bool:
        place = queue.place(job.id)
        before = islice(queue.ids, place)
        return place > 0 and all(self.line.jobs[id].person == job.person for id in before)

    def _seconds_until_end(self, job: Job) -> float | None:
        """The seconds of all jobs that are served before this one, and of itself; None if not known.

        Draws are served before trainings. The jobs before are spread over the workers.
        """
        draws, trainings = self.line.queues[JobKind.DRAW], self.line.queues[JobKind.TRAIN]
        place = (draws if job.kind.lane == JobKind.DRAW else trainings).place(job.id)
        at_once = self.workers if job.kind.lane == JobKind.DRAW else self.trainings
        before = self._seconds_of(job.kind.lane, place) if place >= at_once else 0.0
        with_it, without = self._seconds_of(job.kind.lane, place + 1), self._seconds_of(job.kind.lane, place)
        drawing = 0.0 if job.kind.lane == JobKind.DRAW else self._seconds_of(JobKind.DRAW, len(draws.ids))
        if before is None or with_it is None or without is None or drawing is None:
            return None
        return drawing / self.workers + before / at_once + with_it - without

    def _seconds_of(self, kind: JobKind, count: int) -> float | None:
        """The seconds that the oldest ``count`` jobs of a kind still take.

        A running job that has reported its progress takes as long as it said. The others are counted by their steps.
        """
        queue = self.line.queues[kind]
        count = min(count, len(queue.ids))
        steps, defaults, reported, known = queue.steps[count], queue.defaults[count], 0.0, 0
        for id, progress in self._progress.items():
            place = queue.place(id)
            if place < count and queue.ids[place] == id:
                steps -= queue.steps[place + 1] - queue.steps[place]
                defaults -= queue.defaults[place + 1] - queue.defaults[place]
                reported += progress.seconds_left
                known += 1
        if known == count:
            return reported
        each = self._seconds.get(kind)
        if each is None or (defaults and self._train_steps is None):
            return None
        return reported + each * (steps + defaults * (self._train_steps or 0))

    def _steps(self, job: Job) -> int | None:
        """Steps of the whole job; None if they are the base's default and no worker has reported that yet."""
        if job.kind == JobKind.DRAW:
            return 1 if job.uncut is not None else (job.options.steps or USUAL_STEPS) * job.options.count
        return job.steps or self._train_steps

    def _measure(self, kind: JobKind, seconds: float) -> None:
        known = self._seconds.get(kind, seconds)
        self._measured = True
        self._seconds[kind] = (1 - NEWEST_WEIGHT) * known + NEWEST_WEIGHT * seconds
