"""An engine without a model: it sends the events of a real one at once, with made-up pictures."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Coroutine

import numpy as np
from PIL import Image

from lora.engine import WorkerGone
from lora.jobs import (
    AnyJob,
    Cancelled,
    Checkpoint,
    Compared,
    CutOut,
    CutPicture,
    Draw,
    Drawn,
    Event,
    Finished,
    Job,
    Lost,
    Progress,
    Ready,
    ReasonCode,
    Score,
    Train,
    Trained,
    TrainSettings,
    loaded,
)
from tests.waiting import until_async

STEPS = 4


class FakeEngine:
    """Runs each job in a task of its own. While ``go`` is not set, all wait; ``jobs`` lists what was submitted.

    ``where`` says which worker has each job. The workers are called "1", "2" and so on. A picture takes ``seconds``.
    """

    def __init__(
        self,
        *,
        base_hash: str = "0" * 64,
        compares: int | None = None,
        workers: int = 1,
        seconds: float = 0.0,
    ) -> None:
        self.base_hash = base_hash
        self.seconds = seconds
        self.compares = compares  # the step of the best checkpoint; None = sends no Compared
        self.workers = [str(number + 1) for number in range(workers)]
        self.layers: tuple[tuple[str, tuple[int, ...]], ...] = ()
        self.where: dict[int, str] = {}
        self.jobs: list[Job] = []
        self.running: dict[int, asyncio.Task[None]] = {}
        self.go = asyncio.Event()
        self.go.set()
        self.checkpointed = asyncio.Event()
        self.hold_after_checkpoint = False
        self.uncompared = ""  # why a training's checkpoints are not compared
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def start(self) -> None:
        for worker in self.workers:
            self.say(self.ready(worker))

    def ready(self, worker: str = "1") -> Ready:
        defaults = TrainSettings(steps=STEPS, batch_size=1, learning_rate=1e-3, rank=4, checkpoint_steps=2)
        return Ready(
            worker=worker,
            base="fake",
            base_hash=self.base_hash,
            device="cpu",
            defaults=defaults,
            example_prompt="a fox drinking coffee",
            layers=self.layers,
        )

    async def submit(self, job: Job, worker: str) -> None:
        if worker not in self.workers:
            raise WorkerGone(worker)
        work: Coroutine[None, None, None]
        match job:
            case Train():
                job = loaded(job)
                work = self._train(job)
            case Draw():
                job = loaded(job)
                work = self._draw(job)
            case CutOut():
                job = loaded(job)
                work = self._cut_out(job)
        self.where[job.id] = worker
        self.jobs.append(job)
        self.running[job.id] = asyncio.create_task(work)

    def draw(self, number: int = -1) -> Draw:
        """The job of this number in ``jobs``, which is a draw."""
        job = self.jobs[number]
        assert isinstance(job, Draw)
        return job

    async def given(self, kind: type[AnyJob], prompt: str = "", seed: int | None = None) -> AnyJob:
        """The newest job of this kind, once a worker has it; a draw by the end of its prompt and its seed, too.

        A message can be read before the worker has the job that it tells of.
        """

        def wanted(job: Job) -> bool:
            if isinstance(job, Draw) and not (
                job.prompt.endswith(prompt) and seed in (None, job.options.seed)
            ):
                return False
            return isinstance(job, kind) and job.id in self.running

        await until_async(lambda: any(map(wanted, self.jobs)))
        return next(job for job in reversed(self.jobs) if isinstance(job, kind) and wanted(job))

    async def cancel(self, job_id: int) -> None:
        if (task := self.running.pop(job_id, None)) is not None and not task.done():
            task.cancel()
            attempt = next(job.attempt for job in reversed(self.jobs) if job.id == job_id)
            self.say(Cancelled(job=job_id, attempt=attempt))

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        for task in self.running.values():
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)

    def say(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def die(self, worker: str = "1") -> None:
        """As a SIGKILL of a worker: its jobs are lost, and another one starts in its place."""
        self.go_away(worker)
        self.come(worker)

    def come(self, worker: str) -> None:
        """A worker takes jobs."""
        self.workers.append(worker)
        self.say(self.ready(worker))

    def go_away(self, worker: str) -> None:
        """A worker is lost and does not come back."""
        self.workers.remove(worker)
        newest = {job.id: job for job in self.jobs if job.id in self.running and self.where[job.id] == worker}
        lost = [job for job in newest.values() if not self.running[job.id].done()]
        for job in lost:
            self.running.pop(job.id).cancel()
        self.say(Lost(worker=worker, jobs=tuple((job.id, job.attempt) for job in lost)))

    async def _train(self, job: Train) -> None:
        await self.go.wait()
        first = int(job.resume.decode()) if job.resume else 0
        for step in range(first + 1, STEPS + 1):
            names = {"job": job.id, "attempt": job.attempt}
            self.say(Progress(**names, step=step, steps=STEPS, seconds_left=2.0 * (STEPS - step), loss=0.5))
            if step % 2 == 0:
                adapter = f"adapter of {job.keyword} at {step}".encode()
                self.say(Checkpoint(**names, step=step, adapter=adapter, state=str(step).encode()))
                self.checkpointed.set()
                if self.hold_after_checkpoint:
                    await asyncio.Event().wait()
        if self.compares is not None:
            self.say(comparison(job, self.compares))
        self.say(Trained(**names, steps=STEPS, uncompared=self.uncompared))

    async def _cut_out(self, job: CutOut) -> None:
        """All but pictures of 70 px, of which nothing is left."""
        names = {"job": job.id, "attempt": job.attempt}
        for index, data in enumerate(job.pictures):
            await self.go.wait()
            image = Image.open(io.BytesIO(data))
            cut = b"" if image.width == 70 else picture(image.width, image.height, index)
            self.say(CutPicture(**names, index=index, picture=cut))
        self.say(Finished(job=job.id, attempt=job.attempt))

    async def _draw(self, job: Draw) -> None:
        await self.go.wait()
        for index in range(job.options.count):
            await asyncio.sleep(self.seconds)
            self.say(self.drawn(job, index))
        self.say(Finished(job=job.id, attempt=job.attempt))

    def drawn(self, job: Draw, index: int) -> Drawn:
        seed = job.options.of_picture(index).newest_seed
        return Drawn(
            job=job.id,
            attempt=job.attempt,
            index=index,
            seed=seed,
            sticker=sticker(seed),
            uncut=job.uncut or picture(256, 256, seed, "WEBP"),
            background=(0, 255, 0),
        )


def held() -> FakeEngine:
    """An engine whose jobs wait until ``go`` is set."""
    engine = FakeEngine()
    engine.go.clear()
    return engine


def comparison(job: Train, chosen: int) -> Compared:
    """A comparison of two checkpoints; the drawings of the later one are copies."""
    scores = [
        Score(step=step, style=0.5 + step / 10, prompt=0.5, diversity=1.0, memorised=(step - 2) / 10)
        for step in (2, 4)
    ]
    sheet = picture(900, 300, job.attempt)
    return Compared(
        job=job.id,
        attempt=job.attempt,
        chosen=chosen,
        sheet=sheet,
        scores=tuple(scores),
        reasons=(ReasonCode.BEST, ReasonCode.COPIES),
    )


def sticker(seed: int) -> bytes:
    """A valid sticker: WebP, 512 px."""
    return picture(512, 512, seed, "WEBP")


def picture(width: int, height: int, seed: int, format: str = "PNG") -> bytes:
    """A pattern of 16 colours on transparency, unlike that of any other seed."""
    image = Image.new("RGBA", (width, height))
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pattern = Image.fromarray(colours).resize((width // 2, height // 2), Image.Resampling.NEAREST)
    image.paste(pattern, (width // 4, height // 4))
    out = io.BytesIO()
    image.save(out, format, lossless=True)  # transparent pixels of a WebP have no colour then
    return out.getvalue()
