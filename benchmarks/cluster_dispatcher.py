"""What the whole dispatcher costs: rows, files and decisions, with workers that take no time."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from bot.blobs import Blobs
from bot.config import Config
from bot.dispatch import Dispatch
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.store import Store
from bot.tables.jobs import JobKind
from lora.jobs import Draw, Drawn, DrawOptions, Event, Finished, Job, Ready, TrainSettings

STICKER = os.urandom(30_000)  # about as large as a sticker


class InstantEngine:
    """Answers each draw at once with a sticker."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def start(self) -> None:
        for number in range(self._workers):
            ready = Ready(
                worker=str(number + 1),
                base="none",
                base_hash="0",
                device="none",
                defaults=TrainSettings(steps=300),
                example_prompt="",
            )
            self._events.put_nowait(ready)

    async def submit(self, job: Job, worker: str) -> None:
        assert isinstance(job, Draw)
        sticker = STICKER + job.id.to_bytes(8, "big")
        self._events.put_nowait(Drawn(job=job.id, attempt=job.attempt, index=0, seed=0, sticker=sticker))
        self._events.put_nowait(Finished(job=job.id, attempt=job.attempt))

    async def cancel(self, job_id: int) -> None:
        pass

    async def events(self) -> AsyncIterator[Event]:
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        pass


async def dispatcher_cost(folder: Path, *, jobs: int, workers: int) -> dict[str, float]:
    """Seconds and CPU seconds that so many draws of as many people take from row to row."""
    store = await Store.open(folder / "bot.sqlite")
    people = [(id, "x", "en") for id in range(1, jobs + 1)]
    await store.change_many("INSERT INTO person (id, name, language) VALUES (?, ?, ?)", people)
    options = json.dumps(asdict(DrawOptions()))
    rows = [(id, JobKind.DRAW, "m", "a fox", options) for id in range(1, jobs + 1)]
    await store.change_many(
        "INSERT INTO job (person, kind, origin, prompt, options) VALUES (?, ?, ?, ?, ?)", rows
    )
    dispatch = Dispatch(
        engine=InstantEngine(workers),
        store=store,
        blobs=Blobs(folder / "blobs", store),
        config=Config(),
        estimates=Estimates(store),
        example_prompt=ExamplePrompt(store),
        notify=lambda person: None,
    )
    began, cpu = time.monotonic(), _cpu()
    running = asyncio.create_task(dispatch.run())
    while await store.value("SELECT count(*) FROM job WHERE state != 'done'"):  # noqa: ASYNC110 - looks on
        await asyncio.sleep(0.5)
    seconds, used = time.monotonic() - began, _cpu() - cpu
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
    return {"jobs": jobs, "jobs a second": jobs / seconds, "CPU milliseconds a job": used / jobs * 1000}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
