"""A training as a person asks for one: train, then compare the checkpoints and say which is the best."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator

from lora import choose, comparing, train
from lora.bases import Base
from lora.held_out import Validated
from lora.jobs import Checkpoint, Compared, Kept, Progress, Train, Trained
from lora.scorers import eye
from lora.scorers.classifier import DiffusionReader

log = logging.getLogger(__name__)

SETTINGS = choose.Settings()


def learn(base: Base, job: Train) -> Iterator[Progress | Checkpoint | Compared | Trained]:
    """The events of ``train.train``, with ``Compared`` before ``Trained`` if there are several checkpoints.

    While they are compared, Progress stands at the last step and tells the seconds left. Between two events the
    caller may use the base. A comparison that fails is logged and left out: the training itself was good.
    """
    kept = {one.step: one for one in job.earlier}
    for event in train.train(base, job):
        assert not isinstance(event, Validated), "the usual plan never validates"
        if isinstance(event, Checkpoint):
            kept[event.step] = Kept(step=event.step, adapter=event.adapter)
        if isinstance(event, Trained) and len(kept) > 1:
            yield from _compare(base, job, list(kept.values()), event.steps)
        yield event


def _compare(base: Base, job: Train, kept: list[Kept], steps: int) -> Iterator[Progress | Compared]:
    """Compare, or log why not; of an error only its kind and place, for its text may be a person's."""
    began = time.monotonic()
    try:
        events = choose.compare(base, job.samples, kept, eye(), DiffusionReader(base), SETTINGS)
        for event in events:
            if isinstance(event, choose.Step):
                left = (time.monotonic() - began) / event.step * (event.steps - event.step)
                yield Progress(job=job.id, attempt=job.attempt, step=steps, steps=steps, seconds_left=left)
                continue
            chosen = event.choice.step
            log.info("job %d: step %d of %s is the best", job.id, chosen, sorted(one.step for one in kept))
            yield Compared(
                job=job.id,
                attempt=job.attempt,
                chosen=chosen,
                sheet=comparing.sheet(event, chosen),
                scores=event.scores,
            )
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        log.error("job %d: its checkpoints are not compared: %s\n%s", job.id, type(error).__name__, places)
