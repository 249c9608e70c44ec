"""The cut-out jobs that a worker has: one picture at a time, between draws and the steps of a training."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable

from PIL import Image

from lora.data.pictures import PictureError, open_rgba
from lora.engine import reports
from lora.jobs import Cancelled, CutOut, CutPicture, Event, Finished, JobError

MAX_SIDE = 1024  # px; the largest base trains at 768

CutOutPicture = Callable[[Image.Image], Image.Image]  # RGB -> RGBA; raises JobError if nothing is left


class CutOutQueue:
    """Cuts pictures out in the order in which their jobs came."""

    def __init__(self, send_event: Callable[[Event], None], cut_out: CutOutPicture) -> None:
        self._send_event = send_event
        self._cut_out = cut_out
        self._jobs: deque[CutOut] = deque()
        self._next = 0  # the picture of the first job that is next

    def __bool__(self) -> bool:
        """Whether a picture waits."""
        return bool(self._jobs)

    def add(self, job: CutOut) -> None:
        """Append a job."""
        self._jobs.append(job)

    def cancel(self, job_id: int) -> None:
        """Remove a job. Nothing happens if it is not here or has ended."""
        for job in [job for job in self._jobs if job.id == job_id]:
            self._drop(job)
            self._send_event(Cancelled(job=job.id, attempt=job.attempt))

    def step(self) -> None:
        """Cut one picture out and send it. The last one ends its job."""
        job, index = self._jobs[0], self._next
        try:
            picture = self._cut(job.pictures[index])
        except Exception as error:  # any error ends a job, and never the worker
            self._drop(job)
            self._send_event(reports.failure(job, error))
            return
        self._next += 1
        self._send_event(CutPicture(job=job.id, attempt=job.attempt, index=index, picture=picture))
        if self._next == len(job.pictures):
            self._drop(job)
            self._send_event(Finished(job=job.id, attempt=job.attempt))

    def _cut(self, picture: bytes) -> bytes:
        """A PNG with transparency; nothing if the picture cannot be read or nothing is left of it."""
        try:
            image = open_rgba(picture, MAX_SIDE)
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            cut = self._cut_out(image.convert("RGB"))
        except (PictureError, JobError):
            return b""
        out = io.BytesIO()
        cut.save(out, "PNG")
        return out.getvalue()

    def _drop(self, job: CutOut) -> None:
        if self._jobs[0] is job:
            self._next = 0
        self._jobs.remove(job)
