"""Checks that take a network, made before a training: unsafe pictures, lettering, detail that the base cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from lora.checks import detail, lettering, unsafe
from lora.data.dataset import SamplePictures
from lora.jobs import Finding, Findings, JobError, Train
from lora.models.base_model import Base
from lora.safety import Guard


def examine(base: Base, job: Train, guard: Guard) -> Iterator[Findings | None]:
    """Check the samples of a training that begins; at each None the caller may use the base.

    A training that is resumed has been checked before. Raises JobError: bad-picture, and unsafe-samples after the
    finding that names them.
    """
    if job.resume is not None:
        return
    images = SamplePictures(job.samples)  # decoded one by one: 16 megapixels are 64 MB
    found: list[Finding] = []
    for check in (unsafe.check(images, guard), lettering.check(images), detail.check(base, images)):
        for finding in check:
            if finding is None:
                yield None
            elif finding.code == "unsafe":
                yield Findings(job=job.id, attempt=job.attempt, findings=(finding,))
                raise JobError("unsafe-samples")
            else:
                found.append(finding)
    yield Findings(job=job.id, attempt=job.attempt, findings=tuple(found))
