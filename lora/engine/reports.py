"""What a worker reports in the same way for all kinds of jobs: how often, and why a job failed."""

from __future__ import annotations

import logging
import traceback

import torch

from lora.jobs import Failed, Job, JobError
from lora.models.graphs import free_kept

log = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 1.0  # between two Progress events of a job


def failure(job: Job, error: Exception) -> Failed:
    """The event for a job that ended with ``error``.

    Only a JobError is reported in its own words. The text of other errors may quote a prompt or caption, so only
    their type is reported and only their place in the code is logged.
    """
    if isinstance(error, JobError):
        return Failed(job=job.id, attempt=job.attempt, code=error.code, detail=error.detail)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        free_kept()  # for the next job
        return Failed(job=job.id, attempt=job.attempt, code="out-of-memory")
    places = "".join(traceback.format_tb(error.__traceback__))
    log.error("job %d failed with %s\n%s", job.id, type(error).__name__, places)
    return Failed(job=job.id, attempt=job.attempt, code="internal", detail=type(error).__name__)
