"""Row 13 of ``benchmarks.devices``: stickers a second of the engine with a worker on each of several GPUs."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from benchmarks import speed_setup as setup
from benchmarks.speed_setup import Setting, say
from bot.next_job import NextJob, Placed
from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from lora.engine import EngineSettings, worker_process
from lora.engine.local import LocalEngine
from lora.files import write_whole
from lora.jobs import Draw, DrawOptions, Event, Failed, Finished, Lost, Ready, Spent, in_file

# Draws that come together while another one is drawn: they become batches of 16, 8, 4, 2 and 1, or, where only 1 and 16
# are compiled, of 16 and 16; then each of the other sizes must come alone.
WAVES, COMPILED_WAVES, TINY_WAVES = (31,), (31, 8, 4, 2), (1,)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is drawn: so many pictures and people for each GPU, so many styles in all."""

    pictures: int
    people: int
    styles: int  # adapters that the people have, in turn
    simulated: str  # what simulated GPUs draw (``simulated_gpu.DRAWINGS``); "" = real ones


def engine_of(setting: Setting, count: int, simulated: str) -> LocalEngine:
    """The engine ``local`` with so many workers, each on a GPU; on CPUs in a trial or with simulated GPUs."""
    if simulated:
        worker_process.PROGRAM = "benchmarks.simulated_gpu"
    on_cpu = bool(setting.tiny or simulated)
    return LocalEngine(
        EngineSettings(
            base=simulated or str(setting.base_folder),
            cache_dir=setting.folder / "cache",
            devices=("cpu",) * count if on_cpu else tuple(f"cuda:{number}" for number in range(count)),
            threads=1 if on_cpu else 0,
            compile=setting.compiled,
        )
    )


def adapter_files(setting: Setting, plan: Plan) -> list[Path]:
    """The styles' files, made on first use."""
    if not plan.simulated:
        setup.make_all(setting, plan.styles)
        return [setup.adapter_path(setting, number) for number in range(plan.styles)]
    from benchmarks.simulated_gpu import simulated_adapter, simulated_base

    base = simulated_base(plan.simulated)
    paths = [setting.folder / f"simulated-{number}.safetensors" for number in range(plan.styles)]
    for number, path in enumerate(paths):
        if not path.exists():
            write_whole(path, simulated_adapter(base, number))
    return paths


@dataclass
class Batch:
    """What was seen of a batch of a worker."""

    pictures: int
    idle: float  # seconds for which the GPU had none before it
    began: float = math.inf  # monotonic seconds
    ended: float = 0.0  # when its last picture was decoded


@dataclass
class Found:
    """What a run of draws took, and where the time went."""

    seconds: float = 0.0  # from the first hand-over to the last sticker
    handed: float = 0.0  # monotonic seconds: when the last draw was handed over
    own_cpu: float = 0.0  # processor seconds of this process, which hands over and takes stickers
    workers_cpu: float = 0.0
    totals: list[float] = field(
        default_factory=list
    )  # seconds of each draw, from its hand-over to its last event
    handing: list[float] = field(default_factory=list)  # of these, until the engine had taken it
    spent: list[Spent] = field(default_factory=list)
    workers: dict[str, dict[int, Batch]] = field(default_factory=dict)  # batches by their number

    def add(self, worker: str, total: float, spent: Spent | None) -> None:
        """A draw has ended now."""
        self.totals.append(total)
        if spent is None:
            return
        self.spent.append(spent)
        batches, decoded = self.workers.setdefault(worker, {}), time.monotonic() - spent.made
        batch = batches.setdefault(spent.number, Batch(spent.batch, spent.idle))
        batch.began = min(batch.began, decoded - spent.drawn)
        batch.ended = max(batch.ended, decoded)

    def sustained(self) -> float:
        """Stickers a second while others wait: of each worker from the end of its second batch to that of its last.

        It begins with what comes first, and then has what came meanwhile: these two batches are small. Those after the
        last hand-over do not count: then some workers have more to do than others.
        """
        rate = 0.0
        for batches in self.workers.values():
            busy = [one for _, one in sorted(batches.items()) if one.began < self.handed][1:]
            if len(busy) < 2:  # too few draws for that
                return len(self.totals) / self.seconds
            rate += sum(one.pictures for one in busy[1:]) / (busy[-1].ended - busy[0].ended)
        return rate

    def rows(self) -> dict[str, float]:
        """Where the seconds of one picture went: means over all of them."""
        there = [one.waited + one.drawn + one.made for one in self.spent]
        later = [one for batches in self.workers.values() for _, one in sorted(batches.items())[1:]]
        pictures = len(self.totals)
        return {
            "first hand-over to last sticker, img/s": pictures / self.seconds,
            "one picture, hand-over to sticker, s": mean(self.totals),
            "  on the way to its worker and back, s": mean(self.totals) - mean(there),
            "  waiting for its batch, s": mean(one.waited for one in self.spent),
            "  in its batch, s": mean(one.drawn for one in self.spent),
            "  cut out, fitted, encoded, s": mean(one.made for one in self.spent),
            "hand-over until the engine has it, s": mean(self.handing),
            "pictures of its batch": mean(one.batch for one in self.spent),
            "GPU without a batch between batches, s": mean(one.idle for one in later) if later else 0.0,
            "processor time of the bot's side, s": self.own_cpu / pictures,
            "processor time of its worker, s": self.workers_cpu / pictures,
        }


class Drawing:
    """Draws of people in turn, handed to workers as the bot does."""

    def __init__(
        self, setting: Setting, engine: LocalEngine, events: AsyncIterator[Event], styles: Sequence[Path]
    ) -> None:
        self._setting, self._engine, self._events = setting, engine, events
        self._styles = [(path, path.stat().st_size) for path in styles]
        self._ids = 0
        self._submitted: dict[int, tuple[str, float]] = {}  # id -> worker, monotonic seconds
        self._found = Found()

    async def warm(self, workers: Sequence[str], waves: Sequence[int]) -> None:
        """Let each worker draw batches of all sizes, since a size's graph is recorded on its first use."""
        for size in waves:
            ids = range(self._ids, self._ids + (1 + size) * len(workers))
            self._ids = ids.stop
            for number, id in enumerate(ids):
                await self._submit(id, number // len(workers), workers[number % len(workers)])
            await self._ended(len(ids))

    async def run(self, workers: Sequence[tuple[str, int]], pictures: int, people: int) -> Found:
        """So many pictures for so many people, by these (worker, its draws at once)."""
        next_job, self._found = NextJob(attempts=3), Found()
        for worker, draws in workers:
            next_job.join(worker, draws=draws)
        steps = self._setting.steps
        for id in range(self._ids, self._ids + pictures):
            person = id % people
            next_job.wait(
                InLine(id, person, JobKind.DRAW, False, False, 0, steps, str(person % len(self._styles)))
            )
        self._ids += pictures
        began, own, others = time.monotonic(), time.process_time(), self._workers_cpu()
        async with asyncio.TaskGroup() as hand_overs:
            self._feed(next_job, hand_overs)
            for _ in range(pictures):
                next_job.end(await self._ended(1))
                self._feed(next_job, hand_overs)
        self._found.seconds = time.monotonic() - began
        self._found.own_cpu = time.process_time() - own
        self._found.workers_cpu = self._workers_cpu() - others
        return self._found

    def _workers_cpu(self) -> float:
        """Processor seconds of all workers, from Linux's table of processes."""
        ticks = 0
        for pid in self._engine.pids:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])  # user and system time
        return ticks / os.sysconf("SC_CLK_TCK")

    async def _ended(self, count: int) -> int:
        """Take events until so many draws have ended; the last one's id."""
        id = 0
        while count:
            event = await anext(self._events)
            # Random weights may draw the background only.
            if isinstance(event, Finished) or (isinstance(event, Failed) and event.code == "empty-cutout"):
                count, id = count - 1, event.job
                worker, began = self._submitted.pop(id)
                self._found.add(worker, time.monotonic() - began, event.spent)
            elif isinstance(event, Lost | Failed):
                raise SystemExit(f"a worker failed: {event}")
        return id

    def _feed(self, next_job: NextJob, hand_overs: asyncio.TaskGroup) -> None:
        while (placed := next_job.choose()) is not None:
            hand_overs.create_task(self._hand_over(placed, next_job, hand_overs))

    async def _hand_over(self, placed: Placed, next_job: NextJob, hand_overs: asyncio.TaskGroup) -> None:
        """A job that is on its way to one worker keeps no other waiting, as in ``bot.dispatch``."""
        await self._submit(placed.job.id, placed.job.person, placed.worker.id)
        placed.worker.receiving = False
        self._feed(next_job, hand_overs)

    async def _submit(self, id: int, person: int, worker: str) -> None:
        began = self._found.handed = time.monotonic()
        self._submitted[id] = worker, began
        options = DrawOptions(steps=self._setting.steps, seed=id)
        adapter = in_file(*self._styles[person % len(self._styles)])
        job = Draw(id=id, attempt=1, prompt=f"zorvex fox number {id}", adapter=adapter, options=options)
        await self._engine.submit(job, worker)
        self._found.handing.append(time.monotonic() - began)


@asynccontextmanager
async def drawn(
    setting: Setting, most: int, plan: Plan, report: Callable[[int, float, dict[str, float]], None]
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """What measures and reports the stickers a second of so many GPUs, and where the time of one went.

    One engine has workers on all GPUs, of which each number uses the first ones.
    """
    styles = adapter_files(setting, plan)
    engine = engine_of(setting, most, plan.simulated)
    await engine.start()
    try:
        events = engine.events()
        ready: list[tuple[str, int]] = []
        while len(ready) < most:
            event = await anext(events)
            if isinstance(event, Ready):
                ready.append((event.worker, event.draws))
        ready.sort()
        say("the workers are ready")
        drawing = Drawing(setting, engine, events, styles)
        waves = TINY_WAVES if setting.tiny else COMPILED_WAVES if setting.compiled else WAVES
        await drawing.warm([worker for worker, _ in ready], waves)
        say("the workers are warm")

        async def measure(count: int) -> None:
            pictures = plan.pictures * count
            found = await drawing.run(ready[:count], pictures, plan.people * count)
            report(count, found.sustained(), found.rows())

        yield measure
    finally:
        await engine.close()
