"""Frames on a pipe: everything comes out as it went in, and nothing else comes out at all."""

import asyncio
import io
import os
import pickle
import sys
from typing import Any

import pytest

from lora.engine import wire
from lora.engine.wire import Cancel, WireError
from lora.jobs import (
    Cancelled,
    Checkpoint,
    Draw,
    Drawn,
    DrawOptions,
    Failed,
    Finished,
    Lost,
    Progress,
    Ready,
    Sample,
    Spent,
    Train,
    Trained,
    TrainSettings,
)

SAMPLES = (Sample(picture=bytes(range(256)) * 50, caption='кот\n"x" 🦊'), Sample(picture=b"", caption=""))
MESSAGES: list[Any] = [
    Train(
        id=1, attempt=2, keyword="zorvex", samples=SAMPLES, settings=TrainSettings(steps=3), resume=b"\n{}\n"
    ),
    Train(id=1, attempt=2, keyword="zorvex", samples=()),
    Draw(
        id=3,
        attempt=1,
        prompt="a fox",
        adapter=b"\0" * 70_000,
        options=DrawOptions(cfg=7.5, seed=2**40, count=4, steps=9, negative_prompt="fox", outline_px=3),
    ),
    Draw(id=3, attempt=1, prompt="a fox"),
    Cancel(job=9),
    Ready(
        worker="1",
        base="b",
        base_hash="h",
        device="cpu",
        defaults=TrainSettings(steps=300, learning_rate=1e-3),
        example_prompt="an owl",
    ),
    Progress(job=1, attempt=1, step=1, steps=9, seconds_left=1.5, loss=0.25),
    Progress(job=1, attempt=1, step=1, steps=9, seconds_left=1.5),
    Checkpoint(job=1, attempt=1, step=9, adapter=b"a", state=b"b" * 10),
    Trained(job=1, attempt=1, steps=9),
    Drawn(job=1, attempt=1, index=0, seed=5, sticker=b"webp"),
    Finished(job=1, attempt=1),
    Spent(waited=1.5, drawn=3.25, made=0.5, batch=16, number=2, idle=0.0),
    Cancelled(job=1, attempt=1),
    Failed(job=1, attempt=1, code="internal", detail="x"),
    Lost(worker="1", jobs=((1, 1), (2, 3))),
]


def test_messages_come_out_as_they_went_in() -> None:
    """One after the other through one pipe, in both kinds of reader."""
    stream = io.BytesIO(b"".join(wire.pack(message) for message in MESSAGES))
    assert [wire.read(stream) for _ in MESSAGES] == MESSAGES
    assert wire.read(stream) is None

    async def read_all() -> list[Any]:
        reader = asyncio.StreamReader(limit=wire.MAX_HEADER)
        reader.feed_data(b"".join(wire.pack(message) for message in MESSAGES))
        reader.feed_eof()
        return [await wire.read_async(reader) for _ in range(len(MESSAGES) + 1)]

    assert asyncio.run(read_all()) == [*MESSAGES, None]
    assert [wire.unpack(wire.pack(message)) for message in MESSAGES] == MESSAGES
    in_parts = [wire.split(message) for message in MESSAGES]
    assert [
        wire.joined(line, [part for part in parts if isinstance(part, bytes)]) for line, parts in in_parts
    ] == MESSAGES


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"[]\n",
        b'{"kind": "Draw", "fields": {}, "sizes": []}\n',
        b'{"kind": "Popen", "fields": {"args": "ls"}, "sizes": []}\n',
        b'{"kind": "Cancel", "fields": {"job": 1}, "sizes": [-1]}\n',
        b'{"kind": "Cancel", "fields": {"job": 1}, "sizes": [99999999999]}\n',
        b'{"kind": "Cancel", "fields": {"job": {"$bytes": 0}}, "sizes": []}\n',
        b'{"kind": "Cancel", "fields": {"job": 1}, "sizes": [10]}\nshort',
        pickle.dumps({"kind": "Cancel"}) + b"\n",
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """A frame can become a job or an event, never anything else."""
    with pytest.raises(WireError):
        wire.read(io.BytesIO(data))


def test_a_frame_that_was_cut_off_is_an_end() -> None:
    """A worker that died while it spoke has said nothing: asyncio's reader sees the end."""

    async def read_cut() -> Any:
        reader = asyncio.StreamReader()
        reader.feed_data(wire.pack(MESSAGES[2])[:-5])
        reader.feed_eof()
        return await wire.read_async(reader)

    assert asyncio.run(read_cut()) is None


def test_nobodys_text_is_in_a_repr() -> None:
    """Jobs and events may be logged: prompts, captions, pictures and adapters are not in them."""
    said = repr(MESSAGES)
    for private in ("кот", "fox", "zorvex", "webp", "\\x00"):
        assert private not in said


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such pipes")
def test_a_pipe_is_widened() -> None:
    """A megabyte fits before anybody reads."""
    out, into = os.pipe()
    try:
        wire.widen(into)
        os.set_blocking(into, False)
        assert os.write(into, bytes(2 * wire.PIPE_BYTES)) == wire.PIPE_BYTES
    finally:
        os.close(out)
        os.close(into)
