"""Owns one device: keeps the base warm, draws what people wait for, and trains between two drawings.

    python -m lora.engine.worker --base NAME --cache-dir DIR

Jobs come in on stdin and events go out on stdout (``lora.engine.wire``); the log goes to stderr. It ends when
stdin does, for then nobody is left to work for: at once, in the middle of a step if need be.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from lora.checks.examine import examine
from lora.drawing import sampling
from lora.drawing.sticker import StickerMaker
from lora.engine import wire
from lora.engine.train_and_compare import train_and_compare
from lora.errors import BaseError
from lora.jobs import (
    Cancelled,
    Draw,
    Drawn,
    Event,
    Failed,
    Findings,
    Finished,
    JobError,
    Progress,
    Ready,
    Train,
    Trained,
)
from lora.models import base_model
from lora.models.base_model import Base
from lora.training import checkpoints

log = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 1.0
USUAL_SAMPLES = 30  # what the defaults in Ready are told for, where they depend on the number of samples

MakeSticker = Callable[[Any, tuple[int, int, int]], bytes]  # a drawing and its background -> a finished file


@dataclass(kw_only=True)
class Drawing:
    """A draw job and what has become of its pictures."""

    job: Draw
    done: set[int] = field(default_factory=set)  # indices of pictures that were sent, or cannot be
    errors: list[JobError] = field(default_factory=list)


@dataclass(kw_only=True)
class Training:
    """A training that is under way, and what its next report will say."""

    job: Train
    events: Iterator[Any]
    losses: list[float] = field(default_factory=list)
    reported: float = 0.0


class Worker:
    """The loop of one device. ``inbox`` gives jobs and Cancels; ``say`` takes events."""

    def __init__(
        self,
        base: Base,
        inbox: queue.SimpleQueue[Any],
        say: Callable[[Event], None],
        make_sticker: MakeSticker,
    ) -> None:
        self._base = base
        self._inbox = inbox
        self._say = say
        self._make_sticker = make_sticker
        self._drawings: dict[int, Drawing] = {}
        self._pictures: deque[tuple[int, int]] = deque()  # (job id, index), first come first drawn
        self._trainings: deque[Train] = deque()
        self._training: Training | None = None

    def run(self) -> None:
        """Work for ever. Whoever waits for a drawing goes first; then a training goes one step further."""
        while True:
            self._read_inbox(wait=not self._pictures and not self._trainings and self._training is None)
            if self._pictures:
                self._draw_some()
            if self._training is None and self._trainings:
                job = self._trainings.popleft()
                self._training = Training(job=job, events=_examined(self._base, job))
            if self._training is not None:
                self._train_a_step(self._training)

    def _read_inbox(self, *, wait: bool) -> None:
        """Take in all that has come; with ``wait``, at least one message."""
        while wait or not self._inbox.empty():
            self._take(self._inbox.get())
            wait = False

    def _take(self, message: Any) -> None:
        if isinstance(message, wire.Cancel):
            self._cancel(message.job)
        if isinstance(message, Train):
            self._trainings.append(message)
        if isinstance(message, Draw):
            self._drawings[message.id] = Drawing(job=message)
            self._pictures.extend((message.id, index) for index in range(message.count))

    def _cancel(self, job_id: int) -> None:
        """Forget a job wherever it is; of one that has ended already, nothing is said."""
        drawing = self._drawings.pop(job_id, None)
        if drawing is not None:
            self._pictures = deque(entry for entry in self._pictures if entry[0] != job_id)
            self._say(Cancelled(job=job_id, attempt=drawing.job.attempt))
        for job in [job for job in self._trainings if job.id == job_id]:
            self._trainings.remove(job)
            self._say(Cancelled(job=job_id, attempt=job.attempt))
        if self._training is not None and self._training.job.id == job_id:
            attempt = self._training.job.attempt
            self._end_training()
            self._say(Cancelled(job=job_id, attempt=attempt))

    def _draw_some(self) -> None:
        """Take one batch: pictures of one adapter and number of steps, from as many jobs as wait for them."""
        first = self._drawings[self._pictures[0][0]].job
        batch = [
            (job_id, index)
            for job_id, index in self._pictures
            if (job := self._drawings[job_id].job).steps == first.steps and job.adapter == first.adapter
        ][: sampling.MAX_BATCH]
        self._pictures = deque(entry for entry in self._pictures if entry not in batch)
        self._draw_batch(batch, first.steps)

    def _draw_batch(self, batch: list[tuple[int, int]], steps: int) -> None:
        """Draw one batch. If that fails, draw each job's part by itself, so that only the bad job fails."""
        try:
            self._draw_to_the_end(batch, steps)
        except Exception as error:  # whatever it was, the worker goes on
            jobs = list(dict.fromkeys(job_id for job_id, _ in batch))
            if len(jobs) == 1:
                self._fail(jobs[0], error)
                return
            for job_id in jobs:
                drawing = self._drawings.get(job_id)
                if drawing is not None:
                    left = [(owner, i) for owner, i in batch if owner == job_id and i not in drawing.done]
                    self._draw_batch(left, steps)

    def _draw_to_the_end(self, batch: list[tuple[int, int]], steps: int) -> None:
        """Draw and finish these pictures, as long as somebody still wants them."""
        reported = began = time.monotonic()
        items = [_item(self._drawings[job_id].job, index) for job_id, index in batch]
        for drawn in sampling.draw(self._base, items, steps=steps):
            self._read_inbox(wait=False)  # somebody may have cancelled
            if not any(job_id in self._drawings for job_id, _ in batch):
                return
            if isinstance(drawn, sampling.Picture):
                self._finish_picture(*batch[drawn.index], drawn)
            elif time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                self._report_drawing(batch, drawn, (reported - began) / drawn.step)

    def _report_drawing(
        self, batch: list[tuple[int, int]], done: sampling.DrawProgress, seconds_a_step: float
    ) -> None:
        left = seconds_a_step * (done.steps - done.step)
        for job_id in dict.fromkeys(job_id for job_id, _ in batch if job_id in self._drawings):
            attempt = self._drawings[job_id].job.attempt
            self._say(
                Progress(job=job_id, attempt=attempt, step=done.step, steps=done.steps, seconds_left=left)
            )

    def _finish_picture(self, job_id: int, index: int, drawn: sampling.Picture) -> None:
        """Cut out, fit and send one picture; the last one ends its job."""
        drawing = self._drawings.get(job_id)
        if drawing is None:  # cancelled meanwhile
            return
        job = drawing.job
        try:
            sticker = self._make_sticker(drawn.image, drawn.background_colour)
            self._say(
                Drawn(job=job_id, attempt=job.attempt, index=index, seed=job.seed + index, sticker=sticker)
            )
        except JobError as error:  # the other pictures may well be good
            drawing.errors.append(error)
        drawing.done.add(index)
        if len(drawing.done) < job.count:
            return
        if drawing.errors:
            self._fail(job_id, drawing.errors[0])
            return
        del self._drawings[job_id]
        self._say(Finished(job=job_id, attempt=job.attempt))

    def _fail(self, job_id: int, error: Exception) -> None:
        """End a draw job that cannot be done."""
        drawing = self._drawings.pop(job_id, None)
        if drawing is not None:
            self._pictures = deque(entry for entry in self._pictures if entry[0] != job_id)
            self._say(failure(drawing.job, error))

    def _train_a_step(self, training: Training) -> None:
        """Let the training run to its next event and pass that on."""
        try:
            event = next(training.events)
        except Exception as error:  # whatever it was, this training is over and the worker is not
            self._end_training()
            self._say(failure(training.job, error))
            return
        if event is None:  # a sample has been looked at
            return
        if isinstance(event, Progress):
            self._report_training(training, event)
            return
        if isinstance(event, Trained):
            self._end_training()
        self._say(event)

    def _report_training(self, training: Training, event: Progress) -> None:
        """About once a second, and for the last step trained, with the mean loss since the last time."""
        if event.loss is not None:
            training.losses.append(event.loss)
        now = time.monotonic()
        if now - training.reported < SECONDS_BETWEEN_REPORTS and (
            event.step < event.steps or event.loss is None
        ):
            return
        mean = sum(training.losses) / len(training.losses) if training.losses else None
        self._say(replace(event, loss=mean))
        training.losses.clear()
        training.reported = now

    def _end_training(self) -> None:
        if self._training is not None:
            self._training.events.close()  # type: ignore[attr-defined]  # takes the LoRA off the denoiser
            self._training = None


def _examined(base: Base, job: Train) -> Iterator[Any]:
    """A training, with a look at its samples before the first step.

    If lettering is seen, nothing is mirrored: reversed letters would be learned as part of the look. A training
    that goes on does as it did before; one that was begun with another base or other values, before an update, is
    begun anew.
    """
    if job.resume is not None and (
        otherwise := checkpoints.differences_from_default_plan(job.resume, base, job)
    ):
        log.warning("job %d is begun anew: %s", job.id, ", ".join(otherwise))
        job = replace(job, resume=None, earlier=())
    mirrored = job.settings.random_flip
    if job.resume is not None and not checkpoints.used_random_flip(job.resume):
        mirrored = False
    for event in examine(base, job):
        if isinstance(event, Findings) and any(finding.code == "lettering" for finding in event.findings):
            mirrored = False
        yield event
    yield from train_and_compare(base, replace(job, settings=replace(job.settings, random_flip=mirrored)))


def _item(job: Draw, index: int) -> sampling.Item:
    return sampling.Item(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        adapter=job.adapter,
        seed=job.seed + index,
        cfg=job.cfg,
    )


def failure(job: Train | Draw, error: Exception) -> Failed:
    """What the person is told. Only a JobError speaks for itself; of others, the log has the place."""
    if isinstance(error, JobError):
        return Failed(job=job.id, attempt=job.attempt, code=error.code, detail=error.detail)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return Failed(job=job.id, attempt=job.attempt, code="out-of-memory")
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error("job %d failed with %s\n%s", job.id, type(error).__name__, places)  # its text may be a person's
    return Failed(job=job.id, attempt=job.attempt, code="internal", detail=type(error).__name__)


def main() -> None:
    """Set the process up and work until stdin ends."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="worker: %(message)s", stream=sys.stderr)
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the bot too, and the bot closes our stdin
    events = _private_stdout()
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    maker = StickerMaker(args.cache_dir, args.outline_px)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        base = base_model.load(args.base, args.cache_dir, args.device)
    except BaseError as error:
        log.error("the base cannot be loaded: %s", error)
        sys.exit(3)

    def say(event: Event) -> None:
        events.write(wire.pack(event))
        events.flush()

    say(
        Ready(
            base=base.name,
            base_hash=base.hash,
            device=str(base.device),
            defaults=base.profile.defaults(USUAL_SAMPLES),
        )
    )
    Worker(base, inbox, say, maker).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lora.engine.worker")
    parser.add_argument("--base", required=True)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--outline-px", type=int, default=8)
    return parser


def _listen(stream: BinaryIO, inbox: queue.SimpleQueue[Any]) -> None:
    """Pass messages on until stdin ends, and end the process with it: nobody wants the step at hand."""
    try:
        while (message := wire.read(stream)) is not None:
            inbox.put(message)
    except Exception as error:
        log.error("stdin: %s", type(error).__name__)
        os._exit(1)
    os._exit(0)


def _private_stdout() -> BinaryIO:
    """The pipe for events; what libraries print goes to stderr from now on and cannot break a frame."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


def _die_with_parent() -> None:
    """On Linux the kernel ends us with the bot, should a copy of its pipe's end live on somewhere."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    main()
