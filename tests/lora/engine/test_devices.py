"""One worker process for each device: which are started, and when one is left out."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace

import pytest

from lora.engine import EngineSettings, WorkerGone, deaths, worker_process
from lora.engine.deaths import Deaths
from lora.engine.worker_process import WorkerProcess
from lora.jobs import Finished, LeftOut, Lost, Ready
from tests.lora.engine.test_hanging import draw, settings
from tests.lora.engine.test_local import running, until

__all__ = ["settings"]  # a fixture

STAND_IN = [sys.executable, "-m", "tests.lora.engine.stand_in_worker"]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are stand-ins that see three GPUs. They are replaced at once."""
    monkeypatch.setattr(WorkerProcess, "_command", lambda self: [*STAND_IN, self._device])
    monkeypatch.setattr(worker_process, "FIRST_PAUSE", 0.05)


async def test_auto_means_every_gpu(settings: EngineSettings) -> None:
    """The first worker says which there are, so that the bot imports no torch; its own is not taken twice."""
    async with running(replace(settings, devices=("auto",))) as (_, events):
        found = [await until(events, Ready) for _ in range(3)]
        assert {ready.worker: ready.device for ready in found} == {"1": "auto", "2": "cuda:1", "3": "cuda:2"}


async def test_a_killed_worker_loses_its_own_jobs_alone(settings: EngineSettings) -> None:
    """It comes back under its name; meanwhile it takes no job. The job of the other worker goes on."""
    async with running(replace(settings, stuck_seconds=600, devices=("cpu", "cpu"))) as (engine, events):
        assert {(await until(events, Ready)).worker for _ in range(2)} == {"1", "2"}
        for number in (1, 2):
            await engine.submit(draw(number, "hang"), str(number))
        first, second = engine.pids
        os.kill(second, signal.SIGKILL)
        assert await until(events, Lost) == Lost(worker="2", jobs=((2, 1),))
        with pytest.raises(WorkerGone):
            await engine.submit(draw(2, "finish"), "2")
        assert (await until(events, Ready, Lost)).worker == "2"
        await engine.submit(draw(2, "finish"), "2")
        assert await until(events, Finished, Lost) == Finished(job=2, attempt=1)
        assert engine.pids[0] == first
        assert engine.pids[1] != second


async def test_the_third_death_within_ten_minutes_is_the_last(settings: EngineSettings) -> None:
    """The worker is left out and the others go on; jobs that are sent to it are refused."""
    async with running(replace(settings, devices=("cuda:0", "cuda:5"))) as (engine, events):
        workers = {(await until(events, Ready)).worker for _ in range(2)}
        assert workers == {"1", "2"}
        for number in range(1, 4):
            await engine.submit(draw(number, "die"), "2")
            assert await until(events, Lost) == Lost(worker="2", jobs=((number, 1),))
            event = await until(events, Ready, LeftOut)
        assert event == LeftOut(worker="2", device="cuda:5", deaths=3)
        with pytest.raises(WorkerGone):
            await engine.submit(draw(4, "finish"), "2")


async def test_the_only_worker_is_never_left_out(settings: EngineSettings) -> None:
    """Without it nothing would be drawn at all."""
    async with running(replace(settings, devices=("cpu",))) as (engine, events):
        for number in range(1, 5):
            await until(events, Ready)
            await engine.submit(draw(number, "die"), "1")
            await until(events, Lost, LeftOut)
        assert (await until(events, Ready, LeftOut)).worker == "1"


def test_a_job_that_failed_before_counts_before_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies of such a job alone is not left out for it. Deaths of long ago are forgotten."""
    found, now = Deaths(), 1000.0
    monkeypatch.setattr("lora.engine.deaths.time.monotonic", lambda: now)
    for _ in range(5):
        found.count({7: 2})
    assert len(found) == 0
    found.count({})
    found.count({7: 1})
    assert not found.too_many
    now += deaths.WITHIN_SECONDS + 1
    found.count({7: 2, 8: 1})
    assert len(found) == 1
