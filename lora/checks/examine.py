"""What takes a network to see, looked at before a training: lettering, and detail that the base cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from lora.checks import detail, lettering
from lora.data.dataset import open_samples
from lora.jobs import Finding, Findings, Train
from lora.models.base_model import Base


def examine(base: Base, job: Train) -> Iterator[Findings | None]:
    """Look at the samples of a training that begins; at each None the caller may use the base.

    A training that is resumed has been through this. Raises JobError bad-picture.
    """
    if job.resume is not None:
        return
    images = open_samples(job.samples)
    found: list[Finding] = []
    for check in (lettering.check(images), detail.check(base, images)):
        for finding in check:
            if finding is None:
                yield None
            else:
                found.append(finding)
    yield Findings(job=job.id, attempt=job.attempt, findings=tuple(found))
