"""The engine local and its real worker process, over real pipes: what it draws, and how it ends."""

import asyncio
import contextlib
import io
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from lora.engine import ENGINES, EngineSettings, worker, worker_process
from lora.engine.local import LocalEngine
from lora.engine.openmp import WAITING
from lora.engine.worker_process import _environment
from lora.jobs import (
    Cancelled,
    CannotWork,
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


async def test_a_base_that_cannot_be_loaded_is_told(settings: EngineSettings, tmp_path: Path) -> None:
    """The operator learns why; the engine tries again, for the folder may be put right meanwhile."""
    async with running(replace(settings, base=str(tmp_path))) as (_, events):
        told = await until(events, Ready, CannotWork)
        assert (told.worker, told.code) == ("1", "base")
        assert "no diffusers folder" in told.detail
        assert await until(events, Ready, Lost) == Lost(worker="1", jobs=())


def test_the_worker_gets_nobodys_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's token stays in the bot's process; no hub is asked for anything."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:abc")
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    environment = _environment()
    assert not {"TELEGRAM_BOT_TOKEN", "HF_TOKEN"} & environment.keys()
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_threads_wait_shortly_unless_somebody_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    assert WAITING.items() <= _environment().items()
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert _environment()["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "GOMP_SPINCOUNT" not in _environment()


async def test_a_sticker_comes_in_the_middle_of_a_training(
    settings: EngineSettings, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker says what its base is, draws finished stickers while a training goes on, and ends when it is closed.

    All its threads run at the lower priority of the settings.
    """
    monkeypatch.setattr(worker_process, "SECONDS_TO_CLOSE", 600)
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=LONG)
    async with running(replace(settings, nice=3)) as (engine, events):
        ready = await until(events, Ready)
        assert (ready.base, ready.device) == ("tiny", "cpu")
        assert len(ready.layers) > 50
        assert ready.defaults.steps is not None
        await engine.submit(job, "1")
        await until(events, Checkpoint)
        process = psutil.Process(engine.pids[0])
        assert {os.getpriority(os.PRIO_PROCESS, thread.id) for thread in process.threads()} == {3}
        await engine.submit(
            Draw(id=2, attempt=1, prompt="a cat", options=DrawOptions(seed=1, steps=4, count=2)), "1"
        )
        drawn = [await until(events, Drawn), await until(events, Drawn)]
        await until(events, Finished)
        await until(events, Checkpoint)
        await engine.cancel(1)
        assert await until(events, Cancelled) == Cancelled(job=1, attempt=1)
        began = time.monotonic()
    assert time.monotonic() - began < 600, "it did not end by itself"
    assert not process.is_running()
    for sticker in drawn:
        assert isinstance(sticker, Drawn)
        assert len(sticker.sticker) <= 512 * 1024
        with Image.open(io.BytesIO(sticker.sticker)) as image:
            assert image.format == "WEBP"
            assert max(image.size) == 512
            assert image.mode == "RGBA"


async def test_the_workers_flags_are_the_settings(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine puts on the command line is what the worker's parser reads."""
    started: list[list[str]] = []

    async def no_process(*command: str, **options: object) -> None:
        started.append(list(command))
        raise OSError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    plain = EngineSettings(base="tiny", cache_dir=cache_dir, devices=("cpu",), threads=1, nice=3)
    for settings in (plain, replace(plain, compile=True)):
        async with running(settings):
            await until_async(lambda: started)
        read = worker._parser().parse_args(started.pop()[3:])
        assert (read.base, read.cache_dir, read.threads, read.nice) == ("tiny", cache_dir, 1, 3)
        assert (read.device, read.compile) == ("cpu", settings.compile)
