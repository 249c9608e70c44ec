"""The engine and its real worker process, over real pipes: crashes, restarts and ends."""

import asyncio
import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from lora.engine import ENGINES, EngineSettings, WorkerGone, worker, worker_process
from lora.engine.local import LocalEngine
from lora.engine.worker_process import _environment
from lora.jobs import (
    Cancelled,
    Checkpoint,
    Draw,
    Drawn,
    DrawOptions,
    Event,
    Finished,
    Lost,
    Ready,
    Sample,
    Train,
    TrainSettings,
)
from tests.waiting import result_of, until_async

ROOT = Path(__file__).parents[3]
LONG = TrainSettings(steps=100_000, batch_size=2, rank=2, checkpoint_steps=5)


@pytest.fixture
def settings(tiny_folder: Path, cache_dir: Path) -> EngineSettings:
    return EngineSettings(base=str(tiny_folder), cache_dir=cache_dir, devices=("cpu",), threads=1, nice=0)


@contextlib.asynccontextmanager
async def running(settings: EngineSettings) -> AsyncIterator[tuple[LocalEngine, AsyncIterator[Event]]]:
    engine = ENGINES["local"](settings)
    assert isinstance(engine, LocalEngine)
    await engine.start()
    try:
        yield engine, engine.events()
    finally:
        await engine.close()


async def until(events: AsyncIterator[Event], *kinds: type[Any]) -> Any:
    """The next event of one of these kinds."""
    while not isinstance(event := await result_of(anext(events)), kinds):
        pass
    return event


async def test_a_killed_worker_loses_its_jobs_and_comes_back(
    settings: EngineSettings,
    samples: tuple[Sample, ...],
    base: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGKILL: Lost names its jobs, a new worker is Ready, and the training goes on from its checkpoint."""
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=LONG)
    async with running(settings) as (engine, events):
        ready = await until(events, Ready)
        await engine.submit(job, "1")
        assert isinstance(ready, Ready)
        assert len(ready.layers) > 50
        assert ready.base == "tiny"
        assert ready.device == "cpu"
        assert ready.defaults.steps is not None
        checkpoint = await until(events, Checkpoint)
        assert isinstance(checkpoint, Checkpoint)
        first = engine.pids[0]
        os.kill(first, signal.SIGKILL)
        assert await until(events, Lost) == Lost(worker="1", jobs=((1, 1),))
        assert await until(events, Ready) == ready
        await engine.submit(replace(job, attempt=2, resume=checkpoint.state), "1")
        assert engine.pids[0] != first
        again = await until(events, Checkpoint)
        assert isinstance(again, Checkpoint)
        assert (again.attempt, again.step) == (2, checkpoint.step + 5)
        worker = engine.pids[0]
        monkeypatch.setattr(worker_process, "SECONDS_TO_CLOSE", 600)
        began = time.monotonic()
    assert time.monotonic() - began < 600, "it did not end by itself"
    assert not psutil.pid_exists(worker)


async def test_a_worker_ends_with_its_parent(
    settings: EngineSettings, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    """Who started the engine is SIGKILLed in the middle of a training: no worker is left over."""
    code = f"""
import asyncio
from pathlib import Path
from typing import Any
from lora.data.dataset import read_folder
from lora.engine import EngineSettings
from lora.engine.local import LocalEngine
from lora.jobs import Progress, Ready, Train, TrainSettings
async def main():
    engine = LocalEngine(EngineSettings(base={settings.base!r}, cache_dir=Path({str(settings.cache_dir)!r}), threads=1))
    await engine.start()
    samples = tuple(read_folder(Path({str(tmp_path)!r})))
    settings = TrainSettings(steps=100000, checkpoint_steps=100000)
    async for event in engine.events():
        if isinstance(event, Ready):
            train = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=settings)
            await engine.submit(train, "1")
        if isinstance(event, Progress):
            print(engine.pids[0], flush=True)
asyncio.run(main())
"""
    from tests.sample_folder import write_folder

    write_folder(tmp_path, samples)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    worker = int(await result_of(parent.stdout.readline()))
    assert psutil.pid_exists(worker)
    parent.kill()
    await parent.wait()
    await until_async(lambda: _ended(worker))


async def test_a_worker_ends_with_its_stdin(settings: EngineSettings, tiny_folder: Path) -> None:
    """Without the kernel's help too: a closed stdin ends it in the middle of whatever it does."""
    command = [sys.executable, "-m", "lora.engine.worker", "--base", str(tiny_folder)]
    worker = await asyncio.create_subprocess_exec(
        *command, "--cache-dir", str(settings.cache_dir), stdin=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert worker.stdin is not None
    worker.stdin.close()
    assert await result_of(worker.wait()) == 0


def _ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_base_that_cannot_be_loaded_is_logged(
    settings: EngineSettings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The operator reads why; the engine tries again, for the folder may be put right meanwhile."""
    async with running(replace(settings, base=str(tmp_path))) as (_, events):
        assert await until(events, Ready, Lost) == Lost(worker="1", jobs=())
    assert "no diffusers folder" in capfd.readouterr().err


def test_the_worker_gets_nobodys_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's token stays in the bot's process; no hub is asked for anything."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:abc")
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    environment = _environment()
    assert not {"TELEGRAM_BOT_TOKEN", "HF_TOKEN"} & environment.keys()
    assert environment["HF_HUB_OFFLINE"] == "1"


async def test_a_sticker_comes_in_the_middle_of_a_training(
    settings: EngineSettings, samples: tuple[Sample, ...]
) -> None:
    """A draw asked for during a training is answered with finished stickers while the training goes on."""
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=LONG)
    async with running(settings) as (engine, events):
        await until(events, Ready)
        await engine.submit(job, "1")
        await until(events, Checkpoint)
        await engine.submit(
            Draw(id=2, attempt=1, prompt="a cat", options=DrawOptions(seed=1, steps=4, count=2)), "1"
        )
        drawn = [await until(events, Drawn), await until(events, Drawn)]
        await until(events, Finished)
        await until(events, Checkpoint)
        await engine.cancel(1)
        assert await until(events, Cancelled) == Cancelled(job=1, attempt=1)
    for sticker in drawn:
        assert isinstance(sticker, Drawn)
        assert len(sticker.sticker) <= 512 * 1024
        with Image.open(io.BytesIO(sticker.sticker)) as image:
            assert image.format == "WEBP"
            assert max(image.size) == 512
            assert image.mode == "RGBA"


async def test_the_workers_flags_are_the_settings(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine puts on the command line is what the worker's parser reads."""
    plain = EngineSettings(base="tiny", cache_dir=cache_dir, devices=("cpu",), threads=1, nice=3)
    for settings in (plain, replace(plain, compile=True)):
        async with running(settings) as (engine, _):
            flags = engine._workers["1"]._command()[3:]
        read = worker._parser().parse_args(flags)
        assert (read.base, read.cache_dir, read.threads, read.nice) == ("tiny", cache_dir, 1, 3)
        assert (read.device, read.compile) == ("cpu", settings.compile)


async def test_two_workers_share_the_jobs(settings: EngineSettings, samples: tuple[Sample, ...]) -> None:
    """Each trains its own job. One is killed: only its job is lost, and it comes back under its name."""
    async with running(replace(settings, devices=("cpu", "cpu"))) as (engine, events):
        names = {(await until(events, Ready)).worker, (await until(events, Ready)).worker}
        assert names == {"1", "2"}
        for id in (1, 2):
            job = Train(id=id, attempt=1, keyword="zorvex", samples=samples, settings=LONG)
            await engine.submit(job, str(id))
        trained: set[int] = set()
        while trained != {1, 2}:
            trained.add((await until(events, Checkpoint)).job)
        os.kill(engine.pids[1], signal.SIGKILL)
        assert await until(events, Lost) == Lost(worker="2", jobs=((2, 1),))
        with pytest.raises(WorkerGone):
            await engine.submit(replace(job, attempt=2), "2")
        assert (await until(events, Ready)).worker == "2"
        assert (await until(events, Checkpoint)).job == 1
