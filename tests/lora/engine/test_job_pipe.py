"""The pipe to a worker: frames come out whole and in order, whatever happens to files and callers."""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path
from typing import Any

import pytest

from lora.engine import job_pipe, wire
from lora.engine.job_pipe import JobPipe
from lora.jobs import Draw, in_file
from tests.waiting import result_of, until_async

SIZE = 3 * wire.PIPE_BYTES + 5


def draw(id: int, adapter: bytes) -> Draw:
    return Draw(id=id, attempt=1, prompt="a fox", adapter=adapter)


async def read(pipe: JobPipe, count: int) -> list[Any]:
    """So many jobs from the worker's end."""
    stream = os.fdopen(os.dup(pipe.worker_end), "rb")
    with stream:
        return await asyncio.to_thread(lambda: [wire.read(stream) for _ in range(count)])


def no_splice(*arguments: object) -> int:
    raise OSError(job_pipe.CANNOT_SPLICE[0], "not for this file")


@pytest.mark.parametrize("splice", ["yes", "refused", "missing"])
async def test_files_become_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splice: str) -> None:
    """Larger than the pipe. Of one that is gone or has another size there are zeros, and the next job is whole."""
    if splice == "refused":
        monkeypatch.setattr(os, "splice", no_splice, raising=False)
    elif splice == "missing":
        monkeypatch.delattr(os, "splice", raising=False)
    content = os.urandom(SIZE)
    (tmp_path / "adapter").write_bytes(content)
    there = in_file(tmp_path / "adapter", SIZE)
    pipe = JobPipe()
    reading = asyncio.create_task(read(pipe, 5))
    await pipe.send(wire.split(draw(1, there)))
    for number, bad in ((2, in_file(tmp_path / "gone", SIZE)), (3, in_file(tmp_path / "adapter", SIZE + 1))):
        with pytest.raises(OSError, match=r"gone|its size has changed"):
            await pipe.send(wire.split(draw(number, bad)))
    await pipe.send(wire.split(draw(4, b"in memory")))
    await pipe.send(wire.split(draw(5, there)))
    found = await result_of(reading)
    pipe.close()
    os.close(pipe.worker_end)
    zeros = [bytes(SIZE), bytes(SIZE + 1)]
    assert [job.id for job in found] == [1, 2, 3, 4, 5]
    assert [job.adapter for job in found] == [content, *zeros, b"in memory", content]


async def test_a_file_that_shrinks_while_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller is told, and the rest is zeros."""
    path = tmp_path / "adapter"
    path.write_bytes(b"a" * SIZE)
    monkeypatch.setattr(job_pipe, "_size", lambda file: SIZE)
    path.write_bytes(b"a" * 10)
    pipe = JobPipe()
    reading = asyncio.create_task(read(pipe, 1))
    with pytest.raises(OSError, match="its size has changed"):
        await pipe.send(wire.split(draw(1, in_file(path, SIZE))))
    (found,) = await result_of(reading)
    pipe.close()
    os.close(pipe.worker_end)
    assert found.adapter == b"a" * 10 + bytes(SIZE - 10)


async def test_a_caller_that_is_cancelled_leaves_no_half_frame() -> None:
    """What was being written is written to its end; what waited is not written at all."""
    pipe = JobPipe()
    first, second = (asyncio.create_task(pipe.send(wire.split(draw(n, bytes(SIZE))))) for n in (1, 2))
    await until_async(lambda: select.select([pipe.worker_end], [], [], 0)[0])  # the first one has begun
    for one in (first, second):
        one.cancel()
    await asyncio.wait([first, second])
    third = asyncio.create_task(pipe.send(wire.split(draw(3, b""))))
    found = await result_of(asyncio.create_task(read(pipe, 2)))
    await third
    pipe.close()
    os.close(pipe.worker_end)
    assert [job.id for job in found] == [1, 3]


async def test_a_dead_worker_is_told() -> None:
    """Also to who was writing when it died, and after the pipe was closed."""
    pipe = JobPipe()
    writing = asyncio.create_task(pipe.send(wire.split(draw(1, bytes(SIZE)))))
    await asyncio.sleep(0)
    pipe.started()  # nobody has that end now
    with pytest.raises(ConnectionError):
        await result_of(writing)
    pipe.close()
    with pytest.raises(ConnectionError):
        await pipe.send(wire.split(draw(2, b"")))
