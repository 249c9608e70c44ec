"""A training as a person asks for one: train, then compare the checkpoints and say which is the best."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator

from lora.evaluation import compare, report
from lora.evaluation.scorers import image_encoder
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.jobs import Checkpoint, Compared, Progress, SavedCheckpoint, Train, Trained
from lora.models.base_model import Base
from lora.training import loop
from lora.training.validation import Validated

log = logging.getLogger(__name__)

SETTINGS = compare.CompareSettings()


def train_and_compare(base: Base, job: Train) -> Iterator[Progress | Checkpoint | Compared | Trained]:
    """The events of ``train.train``, with ``Compared`` before ``Trained`` if there are several checkpoints.

    While they are compared, Progress stands at the last step and tells the seconds left. Between two events the
    caller may use the base. A comparison that fails is logged and left out: the training itself was good.
    """
    kept = {one.step: one for one in job.earlier}
    for event in loop.train(base, job):
        assert not isinstance(event, Validated), "the usual plan never validates"
        if isinstance(event, Checkpoint):
            kept[event.step] = SavedCheckpoint(step=event.step, adapter=event.adapter)
        if isinstance(event, Trained) and len(kept) > 1:
            yield from _compare(base, job, list(kept.values()), event.steps)
        yield event


def _compare(
    base: Base, job: Train, kept: list[SavedCheckpoint], steps: int
) -> Iterator[Progress | Compared]:
    """Compare, or log why not; of an error only its kind and place, for its text may be a person's."""
    began = time.monotonic()
    try:
        events = compare.compare(
            base, job.samples, kept, image_encoder(), DiffusionPromptScorer(base), SETTINGS
        )
        for event in events:
            if isinstance(event, compare.CompareProgress):
                left = (time.monotonic() - began) / event.step * (event.steps - event.step)
                yield Progress(job=job.id, attempt=job.attempt, step=steps, steps=steps, seconds_left=left)
                continue
            chosen = event.choice.step
            log.info("job %d: step %d of %s is the best", job.id, chosen, sorted(one.step for one in kept))
            yield Compared(
                job=job.id,
                attempt=job.attempt,
                chosen=chosen,
                sheet=report.sheet(event, chosen),
                scores=event.scores,
                reasons=event.reasons,
            )
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        log.error("job %d: its checkpoints are not compared: %s\n%s", job.id, type(error).__name__, places)
