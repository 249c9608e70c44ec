"""Kills the bot and its worker, and breaks calls to Telegram, at random moments of whole visits. What is lost?

The bot is the process that operators run, with a worker and a tiny random base; the playground is Telegram. Pairs of
people come (``journey.py``) until there were enough kills or faults. Then ``kills_found.py`` looks for what is missing
or there twice. Most kills come at any moment, some just after progress, so that visits end.
A fault is a 429, a 500, a proxy's page, or an answer that is lost, late or cut off. getUpdates and downloads fail too.

    python -m benchmarks.kills --kills 300 [--pairs 2] [--seed 0]
    python -m benchmarks.kills --faults 1000 [--share 0.2]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.journey import Visit
from benchmarks.kills_found import found
from bot.playground import Fault, serve
from bot.playground.faults import Faults
from bot.playground.server import LENIENT
from bot.playground.wire import Call
from tests import waiting
from tests.journeys.bot_process import QUIET, ROOT, BotProcess, running
from tests.journeys.observing import rows

SETTINGS: dict[str, dict[str, object]] = {
    "engine": {"devices": "cpu", "threads": 1},
    "train": {"steps": 20, "checkpoint_steps": 10},
    "sticker": {"steps": 4},
}
PROGRESS = (
    "SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM checkpoint), (SELECT count(*) FROM comparison),"
    " (SELECT count(*) FROM drawing WHERE message_id IS NOT NULL), (SELECT count(*) FROM job WHERE told),"
    " (SELECT count(*) FROM pack_sticker WHERE told), (SELECT count(*) FROM import_item WHERE outcome IS NOT NULL)"
)
# What was under way at a kill: the first of these that is true.
PHASES = {
    "training": "SELECT 1 FROM job WHERE kind = 'train' AND state IN ('queued', 'running')",
    "drawing": "SELECT 1 FROM job WHERE kind = 'draw' AND state IN ('queued', 'running')",
    "telling": "SELECT 1 FROM job WHERE told = 0",
    "packing": "SELECT 1 FROM pack_sticker WHERE told = 0",
    "changing a pack": "SELECT 1 FROM pack_change WHERE told = 0 AND kind != 'add'",
    "taking a pack": "SELECT 1 FROM import WHERE told = 0",
    "exporting": "SELECT 1 FROM export",
    "answering": "SELECT 1 FROM inbox WHERE state = 'waiting'",
}
HTML = "<html><body>502 Bad Gateway</body></html>"
BREAKAGES: tuple[dict[str, Any], ...] = (
    {"retry_after": 1},
    {"retry_after": 3},
    {"error": (500, "Internal Server Error")},
    {"page": (502, HTML)},
    {"page": (403, HTML)},
    {"drop": True},
    {"drop": True, "slow_seconds": 1.0},
    {"slow_seconds": 2.0},
    {"cut": True},
)


class Dice(Faults):
    """Breaks this share of all calls, in ways and at moments that ``rng`` decides."""

    def __init__(self, share: float, rng: random.Random) -> None:
        super().__init__(LENIENT)
        self.share = share
        self.calls = self.broken = 0
        self._rng = rng

    def take(self, call: Call) -> Fault | None:
        """A fault for this call, or none."""
        self.calls += 1
        if self._rng.random() >= self.share:
            return None
        self.broken += 1
        return Fault(**self._rng.choice(BREAKAGES))


@dataclass(kw_only=True)
class Killer:
    """SIGKILLs for the bot and its worker, until ``most`` are done; starts the bot again, also if it ended itself."""

    bot: BotProcess
    rng: random.Random
    most: int
    of_worker: int = 0
    of_bot: int = 0
    ended_by_itself: int = 0
    phases: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """All kills."""
        return self.of_worker + self.of_bot

    async def run(self) -> None:
        """Kill again and again; then only look that the bot lives."""
        while True:
            if self.done >= self.most:
                await self._live(1.0)
                continue
            await self._wait()
            await self._kill()

    async def _wait(self) -> None:
        """Any moment from the start on, or the moment after some progress."""
        kind = self.rng.random()
        if kind < 0.1:
            await self._live(self.rng.uniform(0.0, 2.0))  # while it starts
            return
        starts = self.bot.log.count("the bot is running")
        if kind < 0.85:
            await self._until(lambda: self.bot.log.count("the bot is running") >= max(1, starts), 20)
            await self._live(self.rng.uniform(0.0, 4.0))
            return
        before = self._progress()
        await self._until(lambda: self._progress() != before, 120)
        await self._live(self.rng.uniform(0.0, 1.0))

    async def _until(self, happened: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not happened() and time.monotonic() < end:
            await self._live(0.1)

    async def _live(self, seconds: float) -> None:
        """Let the bot work so long. It must not end by itself meanwhile."""
        await asyncio.sleep(seconds)
        if self.bot.processes[-1].returncode is not None:
            self.ended_by_itself += 1
            print(f"the bot ended with code {self.bot.processes[-1].returncode}", file=sys.stderr)
            await self.bot.start()

    async def _kill(self) -> None:
        self.phases[self._phase()] += 1
        worker = self._worker() if self.rng.random() < 0.3 else None
        if worker is not None:
            worker.kill()
            self.of_worker += 1
        else:
            await self.bot.kill()
            self.of_bot += 1
            await self.bot.start()
        if self.done % 10 == 0:
            print(f"{self.done} kills", file=sys.stderr, flush=True)

    def _worker(self) -> psutil.Process | None:
        """The worker's process, None while there is none."""
        try:
            children = psutil.Process(self.bot.processes[-1].pid).children(recursive=True)
            return next((one for one in children if "lora.engine.worker" in " ".join(one.cmdline())), None)
        except psutil.NoSuchProcess:
            return None

    def _progress(self) -> object:
        """Counts that grow; None while there is no database yet."""
        with suppress(sqlite3.OperationalError):
            return rows(self.bot, PROGRESS)
        return None

    def _phase(self) -> str:
        if self._progress() is None:
            return "starting"
        return next((name for name, query in PHASES.items() if rows(self.bot, query)), "nothing")


async def campaign(chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Visits of pairs until there were enough kills and faults; gives all counts."""
    settings = SETTINGS | {"base": {"name": str(await asyncio.to_thread(tiny_base, folder / "tiny"))}}
    rng, began = random.Random(chosen.seed), time.monotonic()
    async with serve(folder / "telegram") as playground, running(playground, folder / "bot", settings) as bot:
        dice = Dice(chosen.share if chosen.faults else 0.0, rng)
        playground.faults = dice
        killer = Killer(bot=bot, rng=rng, most=chosen.kills)
        killing = asyncio.create_task(killer.run())
        asked, stuck, told, number = [], [], Counter[str](), 0
        while killer.done < chosen.kills or dice.broken < chosen.faults:
            visits = [Visit(bot=bot, number=number + n, told=told) for n in range(chosen.pairs)]
            number += chosen.pairs
            for pair in await asyncio.gather(*(visit.run() for visit in visits), return_exceptions=True):
                if isinstance(pair, BaseException):
                    stuck.append(f"a visit: {pair!r}"[:300])
                else:
                    asked += pair
            if killing.done():
                killing.result()
            print(f"{number} visits, {dice.broken} faults in {dice.calls} calls", file=sys.stderr, flush=True)
        dice.share = 0.0
        result = await found(bot, asked, stuck)
        killing.cancel()
        counts = {
            "visits": number,
            "kills": {"bot": killer.of_bot, "worker": killer.of_worker} | {"at": dict(killer.phases)},
            "faults": {"broken": dice.broken, "calls": dice.calls},
            "ended_by_itself": killer.ended_by_itself,
            "told": dict(+told),
        }
        return counts | result | {"seconds": round(time.monotonic() - began)}


def tiny_base(folder: Path) -> Path:
    """The tests' base of random networks, made in a process of its own."""
    made = waiting.run(
        [sys.executable, "-m", "tests.tiny_base", str(folder)], cwd=ROOT, env=os.environ | QUIET
    )
    assert made.returncode == 0, made.stderr
    return folder


def main() -> int:
    """Parse the options, run, print a line of JSON; 1 if something is lost, there twice, or the bot ended."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=0, help="of the bot and its worker together, at least")
    parser.add_argument("--faults", type=int, default=0, help="calls of the bot that are broken, at least")
    parser.add_argument("--share", type=float, default=0.2, help="of all calls, with --faults")
    parser.add_argument("--pairs", type=int, default=2, help="that come at one time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dir", type=Path, help="keeps the bot's folder and log there")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the bot is ended, too
    with tempfile.TemporaryDirectory() as folder:
        counts = asyncio.run(campaign(chosen, chosen.dir or Path(folder)))
    print(json.dumps(counts))
    return int(bool(counts["wrong"] or counts["ended_by_itself"]))


if __name__ == "__main__":
    raise SystemExit(main())
