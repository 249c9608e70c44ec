"""Where a job stands: its place in line and the seconds it still takes, from what has been measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.store import Store
from bot.tables import settings
from bot.tables.jobs import Job
from lora.jobs import Progress, Ready

NEWEST_WEIGHT = 0.3  # of the newest measurement in the running mean


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """``place`` counts from 1 for a waiting job and is 0 for a running one; None means not known yet."""

    place: int
    seconds: float | None
    step: int
    steps: int | None
    loss: float | None


class Estimates:
    """The measured seconds per step of each kind of job, and the newest Progress of each running one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._progress: dict[int, Progress] = {}
        self._seconds: dict[str, float] = {}  # train, draw -> seconds per step
        self._where = ""
        self._train_steps: int | None = None

    async def ready(self, event: Ready) -> None:
        """A worker has started: take what was measured on this base and device before."""
        self._where = f"seconds per step, {event.base} on {event.device}"
        self._seconds = await settings.read(self._store, self._where) or {}
        self._train_steps = event.defaults.steps

    def progress(self, kind: str, event: Progress) -> None:
        """Take in how far a running job is."""
        self._progress[event.job] = event
        if kind == "train" and 0 < event.step < event.steps:
            self._measure(kind, event.seconds_left / (event.steps - event.step))

    async def ended(self, job: int) -> None:
        """A job is over: forget how far it was, keep what was measured."""
        self._progress.pop(job, None)
        if self._where:
            await settings.write(self._store, self._where, self._seconds)

    def drawn(self, job: Job, seconds: float) -> None:
        """A draw that had the worker for itself took so long from the hand-over to its end."""
        self._measure("draw", seconds / max(1, self._steps(job) or 1))

    def standing(self, job: Job, active: Sequence[Job]) -> Estimate:
        """Where ``job`` stands among all active jobs, which are in the order in which they are served."""
        if job.state == "running" and (told := self._progress.get(job.id)) is not None:
            return Estimate(
                place=0, seconds=told.seconds_left, step=told.step, steps=told.steps, loss=told.loss
            )
        before = [other for other in active if _served_before(other, job)]
        place = 0 if job.state == "running" else 1 + sum(other.kind == job.kind for other in before)
        waits = [self._seconds_left(other) for other in [*before, job]]
        seconds = None if None in waits else sum(wait for wait in waits if wait is not None)
        return Estimate(place=place, seconds=seconds, step=job.step, steps=self._steps(job), loss=None)

    def _seconds_left(self, job: Job) -> float | None:
        if (told := self._progress.get(job.id)) is not None:
            return told.seconds_left
        steps, each = self._steps(job), self._seconds.get(job.kind)
        return None if steps is None or each is None else (steps - job.step) * each

    def _steps(self, job: Job) -> int | None:
        """Steps of the whole job; None if it takes the base's default and no worker has told that yet."""
        if job.kind == "draw":
            return (job.steps or 1) * job.count
        return job.steps or self._train_steps

    def _measure(self, kind: str, seconds: float) -> None:
        known = self._seconds.get(kind, seconds)
        self._seconds[kind] = (1 - NEWEST_WEIGHT) * known + NEWEST_WEIGHT * seconds


def _served_before(other: Job, job: Job) -> bool:
    """Draws go before trainings; among equals the older first."""
    return (other.kind != "draw", other.id) < (job.kind != "draw", job.id)
