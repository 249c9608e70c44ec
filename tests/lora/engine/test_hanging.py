"""The engine finds workers that hang, waits until a process can be started, and hands files over one at a time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import signal
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from lora.engine import EngineSettings, local, worker_process
from lora.engine.watchdog import Watchdog
from lora.engine.wire import Heartbeat
from lora.engine.worker_process import WorkerProcess
from lora.jobs import (
    CannotWork,
    Checkpoint,
    Draw,
    Failed,
    Finished,
    JobError,
    Lost,
    Ready,
    Sample,
    Train,
    TrainSettings,
    in_file,
)
from tests.lora.engine.test_local import running, until
from tests.waiting import until_async

STAND_IN = [sys.executable, "-m", "tests.lora.engine.stand_in_worker"]


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    return EngineSettings(
        base="none", cache_dir=tmp_path, devices=("cpu",), silent_seconds=3, stuck_seconds=4
    )


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are stand-ins without a model."""
    monkeypatch.setattr(WorkerProcess, "_command", lambda self: STAND_IN)


def draw(id: int, prompt: str) -> Draw:
    return Draw(id=id, attempt=1, prompt=prompt)


async def test_a_stopped_worker_is_replaced(
    settings: EngineSettings, stand_in: None, caplog: pytest.LogCaptureFixture
) -> None:
    """SIGSTOP in the middle of a job: its jobs are lost, as if it had died."""
    async with running(replace(settings, stuck_seconds=600)) as (engine, events):
        await until(events, Ready)
        await engine.submit(draw(1, "hang"), "1")
        first = psutil.Process(engine.pids[0])
        os.kill(first.pid, signal.SIGSTOP)
        assert await until(events, Lost) == Lost(worker="1", jobs=((1, 1),))
        assert not first.is_running()
    assert "has been silent" in caplog.text


async def test_a_main_loop_that_hangs_is_found(
    settings: EngineSettings, stand_in: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Although the process sends heartbeats. A worker that waits for jobs longer than that is left alone."""
    async with running(settings) as (engine, events):
        await until(events, Ready)
        first = engine.pids[0]
        idle = asyncio.create_task(until(events, Lost, Ready))
        await asyncio.wait([idle], timeout=settings.stuck_seconds + 2)
        assert not idle.done()
        await engine.submit(draw(1, "hang"), "1")
        assert await idle == Lost(worker="1", jobs=((1, 1),))
        await until(events, Ready)
        await engine.submit(draw(2, "finish"), "1")
        assert await until(events, Finished) == Finished(job=2, attempt=1)
        assert engine.pids[0] != first
    assert "has made no progress" in caplog.text


def test_a_watchdog_that_was_stopped_itself_replaces_no_worker() -> None:
    """Ticks are counted, not seconds: a bot that slept for an hour finds one tick."""
    dog = Watchdog(silent_seconds=3, stuck_seconds=9)
    dog.hear(Heartbeat(progress=1, idle=False))
    for progress in range(20):
        assert dog.tick() is None
        dog.hear(Heartbeat(progress=progress // 4, idle=False))  # a step takes four ticks
    assert [dog.tick() for _ in range(4)] == [None, None, None, "has been silent for 4 s"]


def test_a_worker_that_still_imports_its_libraries_is_not_silent() -> None:
    """Before its first heartbeat only the longer patience counts."""
    dog = Watchdog(silent_seconds=3, stuck_seconds=20)
    assert [dog.tick() for _ in range(20)] == [None] * 20
    assert dog.tick() == "has made no progress for 21 s"


async def test_a_worker_that_cannot_be_started_is_tried_again(
    settings: EngineSettings, stand_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead worker cannot be replaced for a while: the job waits, the bot is told why, then the job is done."""
    monkeypatch.setattr(worker_process, "FIRST_PAUSE", 0.05)
    start, failures = asyncio.create_subprocess_exec, 4

    async def scarce(*args: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return await start(*args, **options)

    async with running(settings) as (engine, events):
        await until(events, Ready)
        monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
        await engine.submit(draw(1, "die"), "1")
        await until(events, Lost)
        why = os.strerror(errno.EAGAIN)
        told = await until(events, CannotWork)
        assert (told.worker, told.code) == ("1", "start")
        assert why in told.detail
        await until(events, Ready)
        await engine.submit(draw(2, "finish"), "1")
        assert await until(events, Finished) == Finished(job=2, attempt=1)


async def test_events_that_nobody_takes_hold_the_worker_up(settings: EngineSettings, stand_in: None) -> None:
    """A bot on a full disk does not fill its memory with checkpoints, and does not blame the worker that waits."""
    async with running(settings) as (engine, events):
        await until(events, Ready)
        await engine.submit(draw(1, "flood"), "1")
        await until_async(engine._events.full)
        await asyncio.sleep(settings.stuck_seconds + 1.5)
        assert engine._events.qsize() == local.MAX_WAITING_EVENTS
        steps = [event.step async for event in taken(events, 60) if isinstance(event, Checkpoint)]
        assert steps == list(range(60))


async def taken(events: Any, count: int) -> Any:
    for _ in range(count):
        yield await until(events, Checkpoint, Lost)


def files(folder: Path, contents: list[bytes]) -> tuple[Sample, ...]:
    """Samples whose pictures are in files."""
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
    return tuple(
        Sample(picture=in_file(folder / str(number), len(content)), caption="x")
        for number, content in enumerate(contents)
    )


def training(samples: tuple[Sample, ...]) -> Train:
    return Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=TrainSettings())


async def test_a_hand_over_reads_one_file_at_a_time(
    settings: EngineSettings, stand_in: None, tmp_path: Path
) -> None:
    """160 MB of pictures take no 40 MB of the bot's memory, and come whole."""
    samples = files(tmp_path, [b"%d" % number * (8 << 20) for number in range(10)] * 2)
    async with running(settings) as (engine, events):
        await until(events, Ready)
        tracemalloc.start()
        try:
            await engine.submit(training(samples), "1")
            failed = await until(events, Failed)
            assert tracemalloc.get_traced_memory()[1] < 40 << 20
        finally:
            tracemalloc.stop()
    assert isinstance(failed, Failed)
    assert failed.detail.startswith(f"20 {160 << 20}")


async def test_a_file_that_cannot_be_read_harms_no_other_job(
    settings: EngineSettings, stand_in: None, tmp_path: Path
) -> None:
    """The hand-over fails; the next frame is read as it was sent, by the same worker."""
    contents = [os.urandom(100_000) for _ in range(3)]
    async with running(settings) as (engine, events):
        await until(events, Ready)
        first = engine.pids[0]
        for harm in ("gone", "cut", ""):
            samples = files(tmp_path, contents)
            if harm == "gone":
                (tmp_path / "1").unlink()
            if harm == "cut":
                (tmp_path / "1").write_bytes(contents[1][:500])
            if harm:
                with pytest.raises(OSError, match=r"No such file|size has changed"):
                    await engine.submit(training(samples), "1")
            else:
                await engine.submit(training(samples), "1")
            failed = await until(events, Failed)
            assert isinstance(failed, Failed)
            await engine.submit(draw(2, "finish"), "1")
            await until(events, Finished)
        assert failed.detail == f"3 300000 {hashlib.sha256(b''.join(contents)).hexdigest()}"
        assert engine.pids[0] == first


async def test_a_job_that_is_too_large_is_refused(
    settings: EngineSettings, stand_in: None, tmp_path: Path
) -> None:
    """Before a byte of it is sent."""
    path = tmp_path / "large"
    path.touch()
    samples = tuple(Sample(picture=in_file(path, 2**30), caption="x") for _ in range(5))
    async with running(settings) as (engine, events):
        await until(events, Ready)
        with pytest.raises(JobError) as caught:
            await engine.submit(training(samples), "1")
        assert caught.value.code == "out-of-memory"
        await engine.submit(draw(2, "finish"), "1")
        assert await until(events, Finished, Lost) == Finished(job=2, attempt=1)
