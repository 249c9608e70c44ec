"""A day of a bot with 64 GPUs and 100,000 people: the real decision code against simulated workers.

    python -m benchmarks.cluster_simulation day [--load 0.8] [--hours 17 21] [--plot docs/cluster-wait.png]
    python -m benchmarks.cluster_simulation dispatcher [--jobs 2000]

``day`` runs ``bot.next_job`` (which job goes to which worker) in simulated time. How long a worker takes is from
measurements on one H100 (``benchmarks/results/speed.jsonl``, SD 2.1 shapes at 512 px): see ``Times``. ``dispatcher``
runs the whole dispatcher with its database on this machine, at once, against workers that take no time.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cluster_dispatcher import dispatcher_cost
from benchmarks.cluster_plot import plot
from bot.next_job import NextJob, Placed
from bot.tables.jobs import JobKind
from bot.tables.line import InLine

PEOPLE, WORKERS, NODE = 100_000, 64, 8  # GPUs of a node
TRAININGS = 0.05  # of all jobs
HEAVY, HEAVY_TIMES, AT_ONCE = (
    0.02,
    20,
    3,
)  # this share of people asks so many times as often, and for three at a time
# Arrivals of each hour, as a share of those of the peak hour (19 to 20).
HOURS = (35, 22, 14, 9, 7, 8, 13, 22, 32, 38, 42, 46, 50, 50, 48, 50, 56, 66, 82, 100, 94, 80, 62, 46)
DRAW_STEPS = 20
SLOTS = 16  # adapters that a worker has at hand (lora.drawing.captured)


@dataclass(frozen=True)
class Times:
    """Seconds that a worker takes, from measurements on one H100."""

    one: float = 0.324  # a batch of one picture, another adapter each time (row 1, graphs)
    more: float = (
        16 / 4.61 - 0.324
    ) / 15  # each further picture of a batch (row 2: sixteen take 16 / 4.61 s)
    adapter: float = 0.018  # a new adapter (row 3), which the two above contain
    finish: float = 0.33  # from a drawing to a sticker file, on one core (row 11)
    train: float = 12.7  # thirty samples, 1,200 sample-steps (row 5)
    compare: float = 8 * 4 * 19 / 25 * 0.324  # 8 prompts, 3 checkpoints and the base, 19 denoising steps each
    step: float = 8 / 102.8  # a training step of batch 8 (row 4), for which a batch may wait
    load: float = 19.6  # from the start of a worker to its first picture (row 8)

    def batch(self, count: int, at_hand: int) -> float:
        """A batch of ``count`` pictures, of whose adapters the worker has ``at_hand`` already."""
        return self.one + (count - 1) * self.more - at_hand * self.adapter + count * self.finish

    @property
    def training(self) -> float:
        return self.train + self.compare

    @property
    def mean(self) -> float:
        """Of a job, when a batch has four pictures."""
        return TRAININGS * self.training + (1 - TRAININGS) * self.batch(4, 0) / 4


@dataclass
class Lane:
    """A simulated worker: draws in batches, and a training in the time between."""

    training: int | None = None
    left: float = 0.0  # seconds of the training
    since: float = 0.0  # when it went on last; only while nothing is drawn
    batch: list[InLine] = field(default_factory=list)  # that is drawn
    next: list[InLine] = field(default_factory=list)  # that waits here for the next batch
    adapters: deque[int] = field(default_factory=lambda: deque(maxlen=SLOTS))  # whose it has
    version: int = 0  # of what is planned: an outdated end does not count


class Day:
    """Simulated time: a heap of events, and the real ``NextJob``."""

    def __init__(self, *, seed: int = 1) -> None:
        self.times, self.dice = Times(), random.Random(seed)
        self.next_job = NextJob(attempts=3)
        self.lanes: dict[str, Lane] = {}
        self.now = 0.0
        self.events: list[tuple[float, int, str, object]] = []
        self.count = 0
        self.asked: dict[int, tuple[float, bool, InLine]] = {}  # when, by a heavy user or not
        self.waits: list[
            tuple[float, float, bool, JobKind]
        ] = []  # asked at, waited until the end, heavy, kind
        self.decisions = 0
        self.seconds = 0.0  # of this machine, in decisions
        self.busy = 0.0  # seconds of workers
        self.at_hand = self.drawn = 0

    def plan(self, at: float, what: str, about: object = None) -> None:
        self.count += 1
        heapq.heappush(self.events, (at, self.count, what, about))

    def join(self, worker: str) -> None:
        self.lanes[worker] = Lane()
        self.next_job.join(worker)

    def lose(self, worker: str) -> None:
        """The worker is gone; its jobs wait again, first of all, and draws are suspects."""
        held = self.next_job.workers[worker]
        jobs = [*held.draws.values(), *held.trainings.values()]
        self.next_job.leave(worker)
        del self.lanes[worker]
        for job in jobs:
            self.next_job.wait(job._replace(losses=job.losses + 1), first=True)

    def run(self) -> None:
        """Until nothing is planned any more."""
        while self.events:
            self.now, _, what, about = heapq.heappop(self.events)
            getattr(self, f"on_{what}")(about)
            self.feed()

    def on_ask(self, about: tuple[int, bool, list[InLine]]) -> None:
        _, heavy, jobs = about
        for job in jobs:
            self.asked[job.id] = self.now, heavy, job
            self.next_job.wait(job)

    def on_join(self, worker: str) -> None:
        self.join(worker)

    def on_lose(self, worker: str) -> None:
        self.lose(worker)

    def on_drawn(self, about: tuple[str, int]) -> None:
        worker, version = about
        lane = self.lanes.get(worker)
        if lane is None or lane.version != version:
            return
        for job in lane.batch:
            self.end(job)
        lane.batch = []
        if lane.training is not None:
            lane.left -= self.times.step
        self.go_on(worker, lane)

    def on_trained(self, about: tuple[str, int]) -> None:
        worker, version = about
        lane = self.lanes.get(worker)
        if lane is None or lane.version != version or lane.training is None:
            return
        self.busy += self.now - lane.since
        self.end(self.asked[lane.training][2])
        lane.training = None
        self.go_on(worker, lane)

    def end(self, job: InLine) -> None:
        asked, heavy, _ = self.asked.pop(job.id)
        self.waits.append((asked, self.now - asked, heavy, job.kind))
        self.next_job.end(job.id)

    def feed(self) -> None:
        """The real decision, as often as there is something to decide."""
        began = time.perf_counter()
        placed: list[Placed] = []
        while (one := self.next_job.choose()) is not None:
            one.worker.receiving = False
            placed.append(one)
        self.seconds += time.perf_counter() - began
        self.decisions += len(placed)
        for job, worker in placed:
            lane = self.lanes[worker.id]
            if job.kind == JobKind.TRAIN:
                lane.training, lane.left, lane.since = job.id, self.times.training, self.now
            else:
                lane.next.append(job)
        for name in dict.fromkeys(one.worker.id for one in placed):
            lane = self.lanes[name]
            if not lane.batch:
                self.go_on(name, lane)

    def go_on(self, worker: str, lane: Lane) -> None:
        """Begin with the next batch, or let the training go on."""
        lane.version += 1
        if lane.next:
            if lane.training is not None and lane.since < self.now and not lane.batch:
                lane.left -= self.now - lane.since
                self.busy += self.now - lane.since
            lane.batch, lane.next = lane.next, []
            self.drawn += len(lane.batch)
            at_hand = sum(job.person in lane.adapters for job in lane.batch)
            lane.adapters.extend(job.person for job in lane.batch if job.person not in lane.adapters)
            took = self.times.batch(len(lane.batch), at_hand) + (
                self.times.step if lane.training is not None else 0
            )
            self.at_hand += at_hand
            self.busy += took
            lane.since = self.now + took
            self.plan(self.now + took, "drawn", (worker, lane.version))
        elif lane.training is not None:
            lane.since = self.now
            self.plan(self.now + max(0.0, lane.left), "trained", (worker, lane.version))


def arrivals(day: Day, per_second: float, hours: tuple[int, int], *, locality: bool) -> None:
    """Plan what people ask for: so many jobs a second in the peak hour, and in the others as ``HOURS`` says."""
    dice, id = day.dice, 0
    heavy = int(PEOPLE * HEAVY)
    share = heavy * HEAVY_TIMES / (heavy * HEAVY_TIMES + PEOPLE - heavy)  # of the asking, in jobs
    for hour in range(*hours):
        now, end = hour * 3600.0, (hour + 1) * 3600.0
        rate = per_second * HOURS[hour] / 100
        while True:
            heavy_turn = dice.random() < share / AT_ONCE / (share / AT_ONCE + 1 - share)
            mean_jobs = 1 / (share / AT_ONCE + 1 - share)
            now += dice.expovariate(rate / mean_jobs)
            if now >= end:
                break
            person = dice.randrange(heavy) if heavy_turn else dice.randrange(heavy, PEOPLE)
            jobs = []
            for _ in range(AT_ONCE if heavy_turn else 1):
                id += 1
                kind = JobKind.TRAIN if dice.random() < TRAININGS else JobKind.DRAW
                steps = None if kind == JobKind.TRAIN else DRAW_STEPS
                adapter = f"adapter of {person}" if locality else None
                jobs.append(InLine(id, person, kind, False, False, 0, steps, adapter))
            day.plan(now, "ask", (person, heavy_turn, jobs))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def simulate(
    load: float,
    hours: tuple[int, int],
    *,
    workers: int = WORKERS,
    lose_node: bool = True,
    locality: bool = True,
    seed: int = 1,
) -> tuple[Day, dict[str, float]]:
    """Run some hours of the day. In the middle of the peak hour a node of eight GPUs is lost for ten minutes."""
    day = Day(seed=seed)
    for number in range(workers):
        day.join(str(number + 1))
    arrivals(day, load * workers / day.times.mean, hours, locality=locality)
    lost_at = 19.5 * 3600
    if lose_node and hours[0] <= 19 < hours[1]:
        for number in range(NODE):
            day.plan(lost_at, "lose", str(number + 1))
            day.plan(lost_at + 600 + day.times.load, "join", str(number + 1))
    asked = len(day.events)
    day.run()
    peak = [wait for wait in day.waits if 19 * 3600 <= wait[0] < 20 * 3600]
    found: dict[str, float] = {
        "load": load,
        "jobs": len(day.waits),
        "left over": len(day.asked),
        "asked": asked,
    }
    for name, rows in (("all hours", day.waits), ("peak hour", peak)):
        draws = [wait for _, wait, _, kind in rows if kind == JobKind.DRAW]
        found |= {
            f"{name}, sticker p50 s": quantile(draws, 0.5),
            f"{name}, sticker p95 s": quantile(draws, 0.95),
        }
        for who, of_them in (("heavy", True), ("light", False)):
            theirs = [wait for _, wait, heavy, kind in rows if kind == JobKind.DRAW and heavy is of_them]
            found[f"{name}, sticker p95 s, {who}"] = quantile(theirs, 0.95)
            learned = [wait for _, wait, heavy, kind in rows if kind == JobKind.TRAIN and heavy is of_them]
            found[f"{name}, training p95 s, {who}"] = quantile(learned, 0.95)
        trained = [wait for _, wait, _, kind in rows if kind == JobKind.TRAIN]
        found[f"{name}, training p95 s"] = quantile(trained, 0.95)
    lost = [wait for at, wait, _, kind in day.waits if lost_at <= at < lost_at + 600 and kind == JobKind.DRAW]
    found["while a node is lost, sticker p95 s"] = quantile(lost, 0.95)
    found["decision, microseconds"] = day.seconds / max(1, day.decisions) * 1e6
    per_second = load * workers / day.times.mean
    found["jobs a second in the peak hour"] = per_second
    found["decisions' share of a core in the peak hour"] = per_second * day.seconds / max(1, day.decisions)
    found["adapter at hand, share of draws"] = day.at_hand / max(1, day.drawn)
    return day, found


def windows(day: Day, seconds: float = 300.0) -> dict[str, list[tuple[float, float]]]:
    """p95 of the waits for stickers in each five minutes, for heavy and light users."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, of_them in (("light users", False), ("heavy users", True)):
        rows: dict[int, list[float]] = defaultdict(list)
        for asked, wait, heavy, kind in day.waits:
            if kind == JobKind.DRAW and heavy is of_them:
                rows[int(asked // seconds)].append(wait)
        found[name] = [(bin * seconds / 3600, quantile(waits, 0.95)) for bin, waits in sorted(rows.items())]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_simulation")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("day")
    one.add_argument("--load", type=float, default=0.8)
    one.add_argument("--hours", type=int, nargs=2, default=[0, 24])
    one.add_argument("--workers", type=int, default=WORKERS)
    one.add_argument("--no-locality", action="store_true", help="where an adapter is does not count")
    one.add_argument("--plot", type=Path)
    other = commands.add_parser("dispatcher")
    other.add_argument("--jobs", type=int, default=2000)
    args = parser.parse_args()
    if args.command == "dispatcher":
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(dispatcher_cost(Path(folder), jobs=args.jobs, workers=WORKERS))
    else:
        day, found = simulate(
            args.load, (args.hours[0], args.hours[1]), workers=args.workers, locality=not args.no_locality
        )
        if args.plot:
            title = f"Waits for a sticker, 95th percentile, {args.load:.0%} load in the peak hour"
            args.plot.write_bytes(plot(windows(day), title=title))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
