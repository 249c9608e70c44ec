"""How fast the chat half answers: commands of many people at a steady rate, and a backlog after a downtime.

``load_server.py`` stands for Telegram and for the people, in a process of its own; the times are its times. The bot
runs in this process, without an engine. What its processor time is does not depend on what else the machine does.

    python -m benchmarks.bot_load --people 1000 --rate 300 --seconds 20 [--training]
    python -m benchmarks.bot_load --backlog 10000 --people 500
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np

from benchmarks.load_server import Found, Load, serve
from bot import app
from bot.config import Config, Engine, Storage, Telegram
from bot.rate_limit import RateLimiter
from bot.secret import Token
from lora.engine import ENGINES
from lora.jobs import Event, Job

TOKEN = "7000000001:benchmark"
SAMPLES = Path(__file__).parents[1] / "data" / "demo"


class NoEngine:
    """Nothing to draw with: only the chat is measured."""

    async def start(self) -> None:
        """Nothing to start."""

    async def submit(self, job: Job, worker: str) -> None:
        """Nobody asks."""

    async def cancel(self, job_id: int) -> None:
        """Nobody asks."""

    async def events(self) -> AsyncIterator[Event]:
        """None, for ever."""
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    async def close(self) -> None:
        """Nothing to end."""


@contextlib.contextmanager
def training(folder: Path) -> Iterator[None]:
    """A training of the bundled base beside it: one thread, of the priority that a worker has."""
    flags = [f"--train_data_dir={SAMPLES}", "--keyword=bomux", f"--output_dir={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-m", "lora", "train", *flags, "--max_train_steps=100000"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        while b"\nstep " not in log.read_bytes():  # until it trains
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


async def measure(load: Load) -> dict[str, float]:
    """Run the bot against the server until each command has its answer."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs, load))
    process.start()
    port = await asyncio.to_thread(ours.recv)
    ENGINES["none"] = lambda settings: NoEngine()
    app.RateLimiter = lambda: RateLimiter(per_second=1e6, burst=10**6)  # type: ignore[assignment,misc,attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port}"
        config = Config(
            telegram=Telegram(api_url=f"{url}/bot", file_url=f"{url}/file/bot"),
            storage=Storage(dir=Path(folder)),
            engine=Engine(name="none"),
        )
        work = asyncio.create_task(app.run(config, Token(TOKEN)))
        await asyncio.to_thread(ours.recv)
        cpu = time.process_time()
        found: Found = await asyncio.to_thread(ours.recv)
        cpu = time.process_time() - cpu
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    process.join()
    return {
        "answers": len(found.answers),
        "lost": load.total - len(found.answers),
        "unasked": found.unasked,
        "p50_seconds": float(np.percentile(found.answers, 50)),
        "p99_seconds": float(np.percentile(found.answers, 99)),
        "stored_seconds": found.stored,
        "done_seconds": found.done,
        "cpu_ms_per_update": 1000 * cpu / load.total,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "server_late_seconds": found.late,
        "server_cpu_seconds": found.cpu,
        "cpu_load_before": os.getloadavg()[0],
    }


def main() -> None:
    """Parse the options, measure, print one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--backlog", type=int, default=0, help="all of these at once, in place of a rate")
    parser.add_argument("--commands", nargs="+", default=["/help"], help="in turn; one answer each")
    parser.add_argument("--training", action="store_true", help="beside a training on the other core")
    chosen = parser.parse_args()
    load = Load(
        people=chosen.people,
        rate=0.0 if chosen.backlog else chosen.rate,
        total=chosen.backlog or round(chosen.rate * chosen.seconds),
        commands=chosen.commands,
    )
    with contextlib.ExitStack() as beside:
        if chosen.training:
            beside.enter_context(training(Path(beside.enter_context(tempfile.TemporaryDirectory()))))
        found = asyncio.run(measure(load))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
