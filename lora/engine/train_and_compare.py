"""A training job of the worker: train, then compare all checkpoints and choose the best one."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from PIL import Image

from lora.evaluation import compare, report
from lora.evaluation.scorers import image_encoder
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.jobs import Checkpoint, Compared, Progress, SavedCheckpoint, Train, Trained
from lora.models.base_model import Base
from lora.models.graphs import free_kept
from lora.safety import Guard
from lora.training import loop
from lora.training.validation import Validated

log = logging.getLogger(__name__)

SETTINGS = compare.CompareSettings()


def train_and_compare(
    base: Base, job: Train, guard: Guard
) -> Iterator[Progress | Checkpoint | Compared | Trained]:
    """The events of ``loop.train``, with ``Compared`` before ``Trained`` if there are several checkpoints.

    During the comparison, Progress has the last step as its step, and the seconds that the comparison still takes.
    Between two events the caller may use the base. If the comparison fails, ``Compared`` is left out and ``Trained``
    says why, because the adapter is trained all the same.
    """
    kept = {checkpoint.step: checkpoint for checkpoint in job.earlier}
    for event in loop.train(base, job):
        assert not isinstance(event, Validated), "a plan of the worker holds no samples out"
        if isinstance(event, Checkpoint):
            kept[event.step] = SavedCheckpoint(step=event.step, adapter=event.adapter)
        if isinstance(event, Trained) and len(kept) > 1:
            uncompared = yield from _compare(base, job, list(kept.values()), event.steps, guard)
            event = replace(event, uncompared=uncompared or "")
        yield event


def _compare(
    base: Base, job: Train, kept: list[SavedCheckpoint], steps: int, guard: Guard
) -> Generator[Progress | Compared, None, str]:
    """Compare, once more if memory is short and some can be freed; gives the code of why that failed, or ""."""
    failed = yield from _compare_once(base, job, kept, steps, guard)
    # Not before here: the error's traceback refers to the tensors of the comparison that failed.
    if failed == "out-of-memory" and free_kept():
        log.warning("job %d: memory was short; its checkpoints are compared once more", job.id)
        failed = yield from _compare_once(base, job, kept, steps, guard)
    return failed


def _compare_once(
    base: Base, job: Train, kept: list[SavedCheckpoint], steps: int, guard: Guard
) -> Generator[Progress | Compared, None, str]:
    """Compare, or log that it failed: only the error's type and place, since its text may quote a caption."""
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
            steps_kept = sorted(checkpoint.step for checkpoint in kept)
            log.info("job %d: step %d of %s is the best", job.id, chosen, steps_kept)
            yield Compared(
                job=job.id,
                attempt=job.attempt,
                chosen=chosen,
                sheet=report.sheet(_safe(event, guard), chosen),
                scores=event.scores,
                reasons=event.reasons,
            )
    except (torch.OutOfMemoryError, MemoryError):
        return "out-of-memory"
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        log.error(
            "job %d: the comparison of its checkpoints failed: %s\n%s", job.id, type(error).__name__, places
        )
        return "internal"
    return ""


def _safe(compared: compare.Comparison, guard: Guard) -> compare.Comparison:
    """The comparison with a grey picture in place of each drawing that the guard refuses."""
    if not guard:
        return compared
    shown = [
        replace(one, pictures=tuple(_grey(p) if guard.refuses(p) else p for p in one.pictures))
        for one in compared.drawings
    ]
    return replace(compared, drawings=tuple(shown))


def _grey(picture: Image.Image) -> Image.Image:
    return Image.new("RGB", picture.size, (128, 128, 128))
