"""What a long line of waiting jobs costs the bot: the share of one core that telling people their places takes.

    python -m benchmarks.line [--jobs 5000] [--seconds 10]

No Telegram and no worker: messages are counted and thrown away. First nothing happens, then the line moves: two jobs
end and two come every second, each place changes, and the line is read again whenever it may be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from bot.blobs import Blobs
from bot.config import Config
from bot.deliver import Deliver
from bot.errors import Buttons
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.sender import Sender
from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import JobKind, JobState
from lora.jobs import DrawOptions, Ready, TrainSettings

TURNS_A_SECOND = 2  # a fast worker


class CountingSender:
    """Stands for Telegram."""

    def __init__(self) -> None:
        self.sent = self.edited = 0

    async def text(
        self, person: int, text: str, *, buttons: Buttons | None = None, reply_to: int | None = None
    ) -> int:
        self.sent += 1
        return self.sent

    async def edit(self, person: int, message_id: int, text: str, *, buttons: Buttons | None = None) -> bool:
        self.edited += 1
        return True


async def fill(store: Store, count: int) -> None:
    """So many waiting draws of as many people, whose messages have been sent."""
    people = [(id, "x", "en") for id in range(1, count + 1)]
    await store.change_many("INSERT INTO person (id, name, language) VALUES (?, ?, ?)", people)
    options = json.dumps(asdict(DrawOptions()))
    rows = [(id, JobKind.DRAW, f"message {id}", "a fox", options, id) for id in range(1, count + 1)]
    await store.change_many(
        "INSERT INTO job (person, kind, origin, prompt, options, message_id) VALUES (?, ?, ?, ?, ?, ?)", rows
    )


async def turn(store: Store) -> None:
    """The oldest job ends, and a new one comes."""
    job = await jobs.claim(store, JobKind.DRAW)
    assert job is not None
    await jobs.end(store, job.id, job.attempt, JobState.DONE)
    await jobs.ask_draw(
        store,
        person=job.person,
        origin=f"again {job.id}",
        style=None,
        adapter=None,
        keyword="",
        prompt="a fox",
        options=DrawOptions(),
        note=None,
    )


async def measure(folder: Path, *, count: int, seconds: float) -> dict[str, float]:
    """Shares of one core (CPU seconds per second), idle and while the line moves, and the edits a second then."""
    store = await Store.open(folder / "bot.sqlite")
    await fill(store, count)
    sender, estimates = CountingSender(), Estimates(store)
    await estimates.ready(
        Ready(
            worker="1",
            base="b",
            base_hash="h",
            device="cpu",
            defaults=TrainSettings(steps=300),
            example_prompt="an owl",
        )
    )
    deliver = Deliver(
        store=store,
        blobs=Blobs(folder / "blobs", store),
        sender=cast(Sender, cast(Any, sender)),
        config=Config(),
        estimates=estimates,
        example_prompt=ExamplePrompt(store),
    )
    task = asyncio.create_task(deliver.run())
    await asyncio.sleep(2.0)  # the first look reads the whole line
    began = time.process_time()
    await asyncio.sleep(seconds)
    idle = (time.process_time() - began) / seconds
    edited, began = sender.edited, time.process_time()
    for _ in range(round(seconds * TURNS_A_SECOND)):
        await turn(store)
        await asyncio.sleep(1 / TURNS_A_SECOND)
    moving = (time.process_time() - began) / seconds
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    return {"idle": idle, "moving": moving, "edits_per_second": (sender.edited - edited) / seconds}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.line", description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), count=args.jobs, seconds=args.seconds))
    print(f"{args.jobs} waiting jobs: {found['idle']:.1%} of a core when nothing happens,")
    print(f"{found['moving']:.1%} while {TURNS_A_SECOND} jobs end and come each second,")
    print(f"with {found['edits_per_second']:.1f} edits a second")


if __name__ == "__main__":
    main()
