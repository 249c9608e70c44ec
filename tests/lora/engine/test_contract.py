"""What every engine promises to the bot, on the tiny base. The engine ray is tested if it is installed."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora.engine import ENGINES, Engine, EngineSettings, WorkerGone
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
    in_file,
)
from tests.waiting import result_of

LONG = TrainSettings(steps=100_000, batch_size=2, rank=2, checkpoint_steps=5)
RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -e .[cluster]"
)


@pytest.fixture(params=["local", pytest.param("ray", marks=[RAY, pytest.mark.slow])])
async def engine(request: pytest.FixtureRequest, tiny_folder: Path, cache_dir: Path) -> AsyncIterator[Engine]:
    """A running engine with one worker on the CPU."""
    settings = EngineSettings(
        base=str(tiny_folder),
        cache_dir=cache_dir,
        devices=("cpu",),
        threads=1,
        nice=0,
        worker_cpus=os.cpu_count() or 1,
    )
    engine = ENGINES[request.param](settings)
    await engine.start()
    yield engine
    await engine.close()


async def until(events: AsyncIterator[Event], *kinds: type[Any]) -> Any:
    """The next event of one of these kinds."""
    while not isinstance(event := await result_of(anext(events)), kinds):
        pass
    return event


def kill_worker(engine: Any) -> None:
    """SIGKILL, or what is nearest to it."""
    if hasattr(engine, "pids"):
        os.kill(engine.pids[0], signal.SIGKILL)
        return
    import ray

    for worker in engine._workers.values():
        ray.kill(worker.actor)


async def test_an_engine_draws_trains_loses_a_worker_and_resumes(
    engine: Engine, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    """One life of a worker: files, a drawing in the middle of a training, a kill, a resume, a cancel."""
    events = engine.events()
    ready = await until(events, Ready)
    assert (ready.base, ready.defaults.steps is not None) == ("tiny", True)
    assert ready.device.startswith("cpu")

    # A training whose pictures are in files; one of a worker that does not exist, and one that cannot be read.
    stored = []
    for number, sample in enumerate(samples):
        (tmp_path / str(number)).write_bytes(sample.picture)
        stored.append(replace(sample, picture=in_file(tmp_path / str(number), len(sample.picture))))
    job = Train(id=1, attempt=1, keyword="zorvex", samples=tuple(stored), settings=LONG)
    with pytest.raises(WorkerGone):
        await engine.submit(job, "nobody")
    gone = replace(job, id=5, samples=(replace(samples[0], picture=in_file(tmp_path / "gone", 9)), *stored))
    with pytest.raises(OSError, match="gone"):
        await engine.submit(gone, ready.worker)
    await engine.cancel(5)
    await engine.submit(job, ready.worker)
    checkpoint = await until(events, Checkpoint)
    assert (checkpoint.job, checkpoint.attempt) == (1, 1)

    # A drawing in the middle of it, with the adapter of its checkpoint.
    (tmp_path / "adapter").write_bytes(checkpoint.adapter)
    for id in (2, 3):
        draw = Draw(
            id=id,
            attempt=1,
            prompt="a cat",
            adapter=in_file(tmp_path / "adapter", len(checkpoint.adapter)),
            options=DrawOptions(seed=1, steps=4),
        )
        await engine.submit(draw, ready.worker)
        drawn = await until(events, Drawn)
        assert (drawn.job, drawn.seed) == (id, 1)
        assert drawn.sticker.startswith(b"RIFF")
        assert await until(events, Finished) == Finished(job=id, attempt=1)

    # A kill: the training goes on from its checkpoint, in the worker that comes back.
    kill_worker(engine)
    assert await until(events, Lost) == Lost(worker=ready.worker, jobs=((1, 1),))
    with pytest.raises(WorkerGone):
        await engine.submit(job, ready.worker)
    assert (await until(events, Ready)).worker == ready.worker
    await engine.submit(replace(job, attempt=2, resume=checkpoint.state), ready.worker)
    again = await until(events, Checkpoint)
    assert (again.attempt, again.step) == (2, checkpoint.step + 5)
    await engine.cancel(1)
    assert await until(events, Cancelled) == Cancelled(job=1, attempt=2)
