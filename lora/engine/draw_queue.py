"""The draw jobs that a worker has: which pictures are drawn in one batch, and what is reported of them."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from PIL import Image

from lora.data.pictures import open_rgba
from lora.drawing import mixed_batches, sampling
from lora.drawing.sampling import Item
from lora.engine import reports
from lora.jobs import (
    MAX_BATCH,
    Cancelled,
    Draw,
    Drawn,
    DrawOptions,
    Event,
    Finished,
    JobError,
    Progress,
    Spent,
)
from lora.models.base_model import Base
from lora.models.graphs import free_kept
from lora.models.profiles import Colour

# A drawing, the colour of its background and the job's options -> a sticker file; raises JobError.
MakeSticker = Callable[[Image.Image, Colour | None, DrawOptions], bytes]


THREADS = 4  # that make stickers while a GPU goes on; one sticker takes a third of a second


def draws_at_once(base: Base) -> int:
    """How many draws a worker may have. On a GPU a whole batch waits for it while another one is drawn."""
    return 2 * max(MAX_BATCH, mixed_batches.largest(base)) if has_gpu(base) else MAX_BATCH


def has_gpu(base: Base) -> bool:
    """Whether a device other than the processor draws, which then has time meanwhile."""
    return base.device.type != "cpu" or base.captured is not None


@dataclass(kw_only=True)
class OpenDraw:
    """A draw job that has not ended."""

    job: Draw
    came: float = field(default_factory=time.monotonic)
    ahead: bool = False  # its adapter was brought to the device before its batch, or cannot be
    drawn: set[int] = field(default_factory=set)  # indices of pictures whose sticker is being made or done
    done: set[int] = field(default_factory=set)  # indices of pictures that were sent or have failed
    errors: list[JobError] = field(default_factory=list)  # of pictures that have failed


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Picture ``index`` of a job, not drawn yet."""

    job_id: int
    index: int
    item: Item
    steps: int


@dataclass(frozen=True)
class Batch:
    """When a batch began, its pictures, and for how long the device had none before it."""

    number: int  # from 1
    began: float  # monotonic seconds, as all times here
    pictures: int
    idle: float

    def spent(self, came: float, decoded: float) -> Spent:
        """Of a picture whose sticker is made now."""
        return Spent(
            waited=self.began - came,
            drawn=decoded - self.began,
            made=time.monotonic() - decoded,
            batch=self.pictures,
            number=self.number,
            idle=self.idle,
        )


@dataclass(frozen=True, kw_only=True)
class Made:
    """What became of a drawing: an event with its sticker, or an error."""

    job: int
    attempt: int
    index: int
    result: Drawn | Exception
    spent: Spent | None = None


class DrawQueue:
    """Draws waiting pictures in batches, in the order in which their jobs came."""

    def __init__(
        self,
        base: Base,
        send_event: Callable[[Event], None],
        make_sticker: MakeSticker,
        *,
        put: Callable[[Made], None] | None = None,
    ) -> None:
        """With ``put``, threads make the stickers while the device goes on, and each comes back to ``take`` by it."""
        self._base = base
        self._send_event = send_event
        self._make_sticker = make_sticker
        self._put = put
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sticker") if put else None
        self._making = 0  # stickers that threads make
        self._batches = 0  # that have begun
        self._ended = time.monotonic()  # the last one
        self._open: dict[int, OpenDraw] = {}  # by job id
        self._waiting: deque[Waiting] = deque()

    def __bool__(self) -> bool:
        """Whether a picture waits."""
        return bool(self._waiting)

    @property
    def making(self) -> bool:
        """Whether a thread makes a sticker, which will come to ``take``."""
        return self._making > 0

    def add(self, job: Draw) -> None:
        """Append all pictures of a job. One that asks for another cut-out is done at once, in less than a second."""
        self._open[job.id] = OpenDraw(job=job)
        if job.uncut is not None:
            self._make(job, 0, partial(_opened, job.uncut), job.background, job.uncut)
            return
        steps = self._base.draw_steps(job.options.steps)
        for index in range(job.options.count):
            item = Item.of_job(job, index)
            self._waiting.append(Waiting(job_id=job.id, index=index, item=item, steps=steps))

    def cancel(self, job_id: int) -> None:
        """Remove a job, also while its pictures are drawn. Nothing happens if it is not here or has ended."""
        if (drawing := self._remove(job_id)) is not None:
            self._send_event(Cancelled(job=job_id, attempt=drawing.job.attempt))

    def draw_batch(self, between_steps: Callable[[], None]) -> None:
        """Draw one batch: the oldest waiting picture and all that may share its batch, whosever they are.

        ``between_steps`` is called after every denoising step and may add and cancel jobs.
        """
        batch = self._next_batch()
        self._waiting = deque(picture for picture in self._waiting if picture not in batch)
        self._try_batch(batch, between_steps)

    def _next_batch(self) -> list[Waiting]:
        """On a GPU, pictures of one number of steps, one of each job in turn; else those of equal ``batch_key``."""
        alike = [picture for picture in self._waiting if picture.steps == self._waiting[0].steps]
        if size := mixed_batches.batch_of(self._base, len(alike)):
            return in_turns(alike)[:size]
        key = _batch_key(self._waiting[0])
        return [picture for picture in self._waiting if _batch_key(picture) == key][:MAX_BATCH]

    def _try_batch(self, batch: list[Waiting], between_steps: Callable[[], None]) -> None:
        """Draw a batch. If that fails, draw the pictures of each job alone, so that only the bad job fails.

        If memory is short and some can be freed, the batch is tried again.
        """
        try:
            self._draw(batch, between_steps)
            return
        except Exception as error:  # any error ends a job, and never the worker
            job_ids = list(dict.fromkeys(picture.job_id for picture in batch))
            again = isinstance(error, torch.OutOfMemoryError) and free_kept()
            if len(job_ids) == 1 and not again:
                self._fail(job_ids[0], error)
                return
        # Not before here: the error's traceback refers to the tensors of the batch that failed.
        for ids in [job_ids] if again else [[job_id] for job_id in job_ids]:
            self._try_batch(self._left(batch, ids), between_steps)

    def _left(self, batch: list[Waiting], job_ids: list[int]) -> list[Waiting]:
        """The pictures of these jobs that are not drawn yet."""
        drawn = {job_id: self._open[job_id].drawn for job_id in job_ids if job_id in self._open}
        return [one for one in batch if one.job_id in drawn and one.index not in drawn[one.job_id]]

    def _draw(self, batch: list[Waiting], between_steps: Callable[[], None]) -> None:
        """Draw and finish these pictures; stop when all their jobs have been cancelled."""
        if not batch:
            return
        reported = began = time.monotonic()
        self._batches += 1
        about = Batch(self._batches, began, len(batch), idle=began - self._ended)
        items = [picture.item for picture in batch]
        try:
            for event in sampling.draw(self._base, items, steps=batch[0].steps):
                between_steps()
                if not any(picture.job_id in self._open for picture in batch):
                    return
                if isinstance(event, sampling.Picture):
                    self._finish_picture(batch[event.index], event, about)
                    continue
                self._load_ahead()
                if time.monotonic() - reported > reports.SECONDS_BETWEEN_REPORTS:
                    reported = time.monotonic()
                    self._report(batch, event, seconds_per_step=(reported - began) / event.step)
        finally:
            self._ended = time.monotonic()

    def _load_ahead(self) -> None:
        """Bring the adapter of one draw that waits to the device, which meanwhile computes the step that is queued."""
        for picture in self._waiting:
            waiting = self._open[picture.job_id]
            if not waiting.ahead:
                waiting.ahead = mixed_batches.load_ahead(self._base, waiting.job.adapter)
                return

    def _report(self, batch: list[Waiting], done: sampling.DrawProgress, *, seconds_per_step: float) -> None:
        """Send the progress of the batch to every job that has a picture in it."""
        left = seconds_per_step * (done.steps - done.step)
        for job_id in dict.fromkeys(picture.job_id for picture in batch if picture.job_id in self._open):
            attempt = self._open[job_id].job.attempt
            self._send_event(
                Progress(job=job_id, attempt=attempt, step=done.step, steps=done.steps, seconds_left=left)
            )

    def _finish_picture(self, picture: Waiting, drawn: sampling.Picture, batch: Batch) -> None:
        """Have a sticker made of a drawing."""
        drawing = self._open.get(picture.job_id)
        if drawing is not None:  # not cancelled while it was drawn
            drawing.drawn.add(picture.index)
            self._make(drawing.job, picture.index, lambda: drawn.image, drawn.background_colour, batch=batch)

    def _make(
        self,
        job: Draw,
        index: int,
        image: Callable[[], Image.Image],
        background: Colour | None,
        uncut: bytes | None = None,
        batch: Batch | None = None,
    ) -> None:
        came, decoded = self._open[job.id].came, time.monotonic()

        def make() -> Made:
            result: Drawn | Exception
            try:
                result = self._sticker(job, index, image(), background, uncut)
            except Exception as error:  # any error ends a job, and never the worker
                result = error
            spent = batch.spent(came, decoded) if batch is not None else None
            return Made(job=job.id, attempt=job.attempt, index=index, result=result, spent=spent)

        self._making += 1
        if self._threads is None or (put := self._put) is None:
            self.take(make())
            return
        self._threads.submit(lambda: put(make()))

    def take(self, made: Made) -> None:
        """Send a sticker. The last one ends its job; if one could not be made, the job fails after the others."""
        self._making -= 1
        drawing = self._open.get(made.job)
        if drawing is None or drawing.job.attempt != made.attempt:  # cancelled meanwhile
            return
        job, result = drawing.job, made.result
        drawing.done.add(made.index)
        if isinstance(result, Drawn):
            self._send_event(result)
        elif isinstance(result, JobError):
            drawing.errors.append(result)
        else:
            self._fail(job.id, result)
            return
        if len(drawing.done) < (1 if job.uncut is not None else job.options.count):
            return
        if drawing.errors:
            self._fail(job.id, drawing.errors[0], made.spent)
            return
        del self._open[job.id]
        self._send_event(Finished(job=job.id, attempt=job.attempt, spent=made.spent))

    def _sticker(
        self, job: Draw, index: int, image: Image.Image, background: Colour | None, uncut: bytes | None
    ) -> Drawn:
        """Make a sticker of a drawing. Raises JobError."""
        return Drawn(
            job=job.id,
            attempt=job.attempt,
            index=index,
            seed=job.options.of_picture(index).newest_seed,
            sticker=self._make_sticker(image, background, job.options),
            uncut=uncut or _lossless(image),
            background=background,
        )

    def _fail(self, job_id: int, error: Exception, spent: Spent | None = None) -> None:
        if (drawing := self._remove(job_id)) is not None:
            self._send_event(replace(reports.failure(drawing.job, error), spent=spent))

    def _remove(self, job_id: int) -> OpenDraw | None:
        self._waiting = deque(picture for picture in self._waiting if picture.job_id != job_id)
        return self._open.pop(job_id, None)


def _opened(uncut: bytes) -> Image.Image:
    return open_rgba(uncut).convert("RGB")


def _lossless(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()


def _batch_key(picture: Waiting) -> object:
    return sampling.batch_key(picture.item, picture.steps)


def in_turns(waiting: Sequence[Waiting]) -> list[Waiting]:
    """The first picture of each job, then the second of each, and so on: a job of ten does not keep others waiting."""
    turns: dict[int, int] = {}
    numbered = []
    for picture in waiting:
        turns[picture.job_id] = turn = turns.get(picture.job_id, 0) + 1
        numbered.append((turn, picture))
    return [picture for _, picture in sorted(numbered, key=lambda one: one[0])]
