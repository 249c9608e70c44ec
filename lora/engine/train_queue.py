"""The training jobs that a worker has: some run, in turns and step by step, and the others wait for an end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from lora.checks.examine import examine
from lora.engine import reports
from lora.engine.train_and_compare import train_and_compare
from lora.jobs import Cancelled, Event, Findings, Progress, Train, Trained
from lora.models.base_model import Base
from lora.safety import Guard
from lora.training import checkpoints
from lora.training.shared_step import most_at_once

log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Running:
    """A training that runs, and what its next report will contain."""

    job: Train
    events: Generator[Event | None, None, None]
    losses: list[float] = field(default_factory=list)  # of the steps since the last report
    reported: float = 0.0  # monotonic seconds


class TrainQueue:
    """Runs trainings in the order in which they came: on a GPU with room several at once, else one after the other.

    Those that are alike share each step (``lora.training.shared_step``); the others take turns.
    """

    def __init__(self, base: Base, send_event: Callable[[Event], None], guard: Guard | None = None) -> None:
        self._base = base
        self._guard = guard or Guard()
        self._send_event = send_event
        self._at_once = most_at_once(base.device)
        self._waiting: deque[Train] = deque()
        self._running: deque[Running] = deque()  # whose turn is next comes first

    def __bool__(self) -> bool:
        """Whether a training waits or runs."""
        return bool(self._waiting or self._running)

    def add(self, job: Train) -> None:
        """Append a job."""
        self._waiting.append(job)

    def cancel(self, job_id: int) -> None:
        """Remove a job, waiting or running. Nothing happens if it is not here or has ended."""
        for job in [job for job in self._waiting if job.id == job_id]:
            self._waiting.remove(job)
            self._send_event(Cancelled(job=job_id, attempt=job.attempt))
        for running in [running for running in self._running if running.job.id == job_id]:
            self._end(running)
            self._send_event(Cancelled(job=job_id, attempt=running.job.attempt))

    def step(self) -> None:
        """Let the training whose turn it is go on to its next event, and send that."""
        while self._waiting and len(self._running) < self._at_once:
            job = self._waiting.popleft()
            self._running.append(Running(job=job, events=_events(self._base, job, self._guard)))
        running = self._running[0]
        self._running.rotate(-1)
        try:
            event = next(running.events)
        except Exception as error:  # any error ends the training, and never the worker
            self._end(running)
            self._send_event(reports.failure(running.job, error))
            return
        if event is None:  # one sample has been examined
            return
        if isinstance(event, Progress):
            self._report(running, event)
            return
        if isinstance(event, Trained):
            self._end(running)
        self._send_event(event)

    def stop(self) -> None:
        """End all running trainings, which takes their LoRA layers off the denoiser."""
        for running in list(self._running):
            self._end(running)

    def _end(self, running: Running) -> None:
        running.events.close()
        self._running.remove(running)

    def _report(self, running: Running, event: Progress) -> None:
        """Send about one Progress a second, and that of the last step, with the mean loss since the last one."""
        if event.loss is not None:
            running.losses.append(event.loss)
        now = time.monotonic()
        last_step = event.step == event.steps and event.loss is not None
        if now - running.reported < reports.SECONDS_BETWEEN_REPORTS and not last_step:
            return
        mean = sum(running.losses) / len(running.losses) if running.losses else None
        self._send_event(replace(event, loss=mean))
        running.losses.clear()
        running.reported = now


def _events(base: Base, job: Train, guard: Guard) -> Generator[Event | None, None, None]:
    """Examine the samples, then train. None means that one more sample has been examined.

    If lettering is found, samples are not mirrored, because reversed letters would be learned too. A resumed
    training does as its earlier attempt did. If it was begun with another base or with other training values, as
    before an update of the bot, it cannot be resumed and starts again from step 0.
    """
    if job.resume is not None and (
        changes := checkpoints.differences_from_default_plan(job.resume, base, job)
    ):
        log.warning("job %d starts again from step 0: %s", job.id, ", ".join(changes))
        job = replace(job, resume=None, earlier=())
    mirrored = job.settings.random_flip
    if job.resume is not None and not checkpoints.used_random_flip(job.resume):
        mirrored = False
    for event in examine(base, job, guard):
        if isinstance(event, Findings) and any(finding.code == "lettering" for finding in event.findings):
            mirrored = False
        yield event
    yield from train_and_compare(
        base, replace(job, settings=replace(job.settings, random_flip=mirrored)), guard
    )
