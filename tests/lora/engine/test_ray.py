"""The engine ray on a real cluster of several raylets on this machine: nodes and drivers die, nodes join."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lora.engine import ENGINES, EngineSettings
from lora.jobs import Checkpoint, Draw, DrawOptions, Failed, Finished, Lost, Ready, Sample, Train, in_file
from tests.lora.engine.test_contract import LONG, until
from tests.waiting import result_of

pytest.importorskip("ray", reason="ray is not installed: pip install -e .[cluster]")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head node with room for one worker. Its nodes keep bases in a folder of the test."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("STICKERSMITH_CACHE", str(tmp_path / "nodes"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def settings(cluster: Any, tiny_folder: Path, cache_dir: Path) -> EngineSettings:
    return EngineSettings(
        base=str(tiny_folder), cache_dir=cache_dir, cluster=cluster.address, worker_cpus=1, threads=1, nice=0
    )


async def test_nodes_join_and_die(
    cluster: Any, settings: EngineSettings, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    """A node that joins gets a worker and the base, once; when it dies its training goes on elsewhere."""
    engine: Any = ENGINES["ray"](settings)
    await engine.start()
    try:
        events = engine.events()
        first = (await until(events, Ready)).worker
        assert not (tmp_path / "nodes" / "bases").exists(), "the bot's own node has the base"
        node = cluster.add_node(num_cpus=1)
        second = (await until(events, Ready)).worker
        assert second != first
        (digest,) = (tmp_path / "nodes" / "bases").iterdir()
        assert {path.name for path in digest.iterdir()} == {"tiny", "lock"}

        job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=LONG)
        await engine.submit(job, second)
        checkpoint = await until(events, Checkpoint)
        cluster.remove_node(node, allow_graceful=False)  # SIGKILL
        assert await until(events, Lost) == Lost(worker=second, jobs=((1, 1),))
        await engine.submit(replace(job, attempt=2, resume=checkpoint.state), first)
        again = await until(events, Checkpoint)
        assert (again.attempt, again.step) == (2, checkpoint.step + 5)

        cluster.add_node(num_cpus=1)  # as an autoscaler does
        third = (await until(events, Ready)).worker
        assert third not in (first, second)
    finally:
        await engine.close()


DRIVER = """
import asyncio, sys
from pathlib import Path
from lora.engine import ENGINES, EngineSettings
from lora.jobs import Ready
async def main():
    base, cache, cluster = sys.argv[1:]
    engine = ENGINES["ray"](
        EngineSettings(base=base, cache_dir=Path(cache), cluster=cluster, worker_cpus=1, threads=1)
    )
    await engine.start()
    async for event in engine.events():
        if isinstance(event, Ready):
            print("ready", flush=True)
asyncio.run(main())
"""


async def test_a_bot_that_is_killed_leaves_room_for_the_next(settings: EngineSettings) -> None:
    """SIGKILL of the driver: its actor ends, and the next driver gets a worker on the same CPU."""
    for _ in range(2):
        driver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DRIVER, settings.base, str(settings.cache_dir), settings.cluster),
            cwd=ROOT,
            env=os.environ,
            stdout=asyncio.subprocess.PIPE,
        )
        assert driver.stdout is not None
        line = b""
        while line != b"ready\n":
            line = await result_of(driver.stdout.readline())
        driver.kill()
        await driver.wait()


@pytest.fixture(params=["room on the disk", "a full disk"])
def small_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Any, bool]]:
    """A head node whose object store has 80 MB, and whether its disk takes more."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    full = request.param == "a full disk"
    if full:  # Ray takes a disk for full at this share
        monkeypatch.setenv("RAY_local_fs_capacity_threshold", "0.0001")
    args = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=args)
    yield cluster, full
    cluster.shutdown()


async def test_a_training_larger_than_the_object_store(
    small_store: tuple[Any, bool], tiny_folder: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """Ray writes the rest to its disk, and the pictures come whole (to be refused as damaged). On a full disk the
    hand-over fails as on any full disk, so that the bot waits; the next drawing is made.
    """
    cluster, full = small_store
    settings = EngineSettings(
        base=str(tiny_folder), cache_dir=cache_dir, cluster=cluster.address, worker_cpus=1, threads=1
    )
    engine: Any = ENGINES["ray"](settings)
    await engine.start()
    try:
        events = engine.events()
        worker = (await until(events, Ready)).worker
        stored = []
        for number in range(8):
            (tmp_path / str(number)).write_bytes(os.urandom(20 << 20))
            stored.append(Sample(picture=in_file(tmp_path / str(number), 20 << 20), caption="x"))
        job = Train(id=1, attempt=1, keyword="zorvex", samples=tuple(stored), settings=LONG)
        if full:
            with pytest.raises(OSError, match="object store is full") as caught:
                await engine.submit(job, worker)
            assert caught.value.errno == errno.ENOSPC
        else:
            await engine.submit(job, worker)
            failed = await until(events, Failed, Lost)
            assert (failed.job, failed.code) == (1, "bad-picture")
        draw = Draw(id=2, attempt=1, prompt="a cat", options=DrawOptions(seed=1, steps=4))
        await engine.submit(draw, worker)
        assert await until(events, Finished, Lost) == Finished(job=2, attempt=1)
    finally:
        await engine.close()
