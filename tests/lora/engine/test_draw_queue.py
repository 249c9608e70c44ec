"""Which pictures share a batch: on a GPU everybody's, in turns; else those of one adapter."""

import queue
import threading
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from lora.drawing import mixed_batches, sampling
from lora.drawing.captured import CapturedDrawing
from lora.drawing.sampling import Item
from lora.engine.draw_queue import DrawQueue, Made, Waiting, in_turns
from lora.jobs import Cancelled, Draw, Drawn, DrawOptions, Event, Failed, Finished, JobError
from lora.models import graphs
from lora.models.base_model import Base
from tests.lora.adapters.files import make


def waiting(job_id: int, index: int) -> Waiting:
    return Waiting(job_id=job_id, index=index, item=Item(prompt="a cat", seed=1, cfg=1.0), steps=4)


def test_each_job_has_its_turn() -> None:
    """Three of the first job, then two others of one each: all three jobs are in a batch of three."""
    queue = [waiting(1, 0), waiting(1, 1), waiting(1, 2), waiting(2, 0), waiting(3, 0)]
    found = [(one.job_id, one.index) for one in in_turns(queue)]
    assert found == [(1, 0), (2, 0), (3, 0), (1, 1), (1, 2)]
    assert in_turns([]) == []


def test_a_drawing_is_cut_out_again_without_drawing(base: Base) -> None:
    """At once, from the picture of the first event, with the same background; the queue stays empty."""
    events: list[Event] = []
    made: list[tuple[bytes, object, DrawOptions]] = []

    def make(image: Image.Image, colour: object, options: DrawOptions) -> bytes:
        made.append((image.tobytes(), colour, options))
        return b"sticker"

    queue = DrawQueue(base, events.append, make)
    queue.add(Draw(id=1, attempt=1, prompt="a cat", options=DrawOptions(seed=7, steps=2)))
    queue.draw_batch(lambda: None)
    (first,) = (event for event in events if isinstance(event, Drawn))
    again = DrawOptions(seed=7, outline="none")
    queue.add(
        Draw(id=2, attempt=1, prompt="a cat", options=again, uncut=first.uncut, background=first.background)
    )
    assert not queue
    assert made[0][:2] == made[1][:2]
    assert made[1][2] == again
    assert events[-2:] == [replace(first, job=2), Finished(job=2, attempt=1)]


def test_a_damaged_drawing_fails_its_own_job(base: Base) -> None:
    """And no other."""
    events: list[Event] = []
    queue = DrawQueue(base, events.append, lambda image, colour, options: b"sticker")
    queue.add(Draw(id=2, attempt=1, prompt="a cat", uncut=b"nothing"))
    (event,) = events
    assert isinstance(event, Failed)
    assert event.job == 2


def test_jobs_of_different_people_share_a_batch(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU does, here without graphs: a job of two pictures and one of one are done in two batches."""
    drawing = CapturedDrawing(base, buckets=(1, 2))
    own = replace(base, captured=drawing)
    batches: list[int] = []
    draw_mixed = mixed_batches.draw_mixed
    monkeypatch.setattr(
        mixed_batches,
        "draw_mixed",
        lambda base, drawing, items, steps: (
            batches.append(len(items)),
            draw_mixed(base, drawing, items, steps=steps),
        )[1],
    )
    events: list[Event] = []
    queue = DrawQueue(own, events.append, lambda image, colour, options: image.tobytes()[:8])
    for number, count in ((1, 2), (2, 1)):
        options = DrawOptions(count=count, seed=number, cfg=5.0, steps=2)
        queue.add(Draw(id=number, attempt=1, prompt=f"a cat {number}", adapter=None, options=options))
    queue.draw_batch(lambda: None)
    assert [event.job for event in events if isinstance(event, Drawn)] == [1, 2]
    assert [event.job for event in events if isinstance(event, Finished)] == [2]
    queue.draw_batch(lambda: None)
    assert [event.job for event in events if isinstance(event, Finished)] == [2, 1]
    assert batches == [2, 1]
    assert not queue
    spent = [event.spent for event in events if isinstance(event, Finished)]
    assert [(one.number, one.batch) for one in spent if one is not None] == [(1, 2), (2, 1)]
    assert all(one is not None and min(one.waited, one.drawn, one.made, one.idle) >= 0 for one in spent)


def test_a_batch_is_tried_again_if_memory_can_be_freed(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: if memory stays short, the job fails. What the failed try computed is freed before the next one."""
    events: list[Event] = []
    queue = DrawQueue(base, events.append, lambda image, colour, options: b"sticker")
    draw, short = sampling.draw, iter([True, False, True, True])

    computed: list[weakref.ref[Tensor]] = []

    def drawn(*args: Any, **options: Any) -> Any:
        assert all(one() is None for one in computed)
        own = torch.zeros(1)
        computed.append(weakref.ref(own))
        if next(short):
            raise torch.OutOfMemoryError
        return draw(*args, **options)

    monkeypatch.setattr(sampling, "draw", drawn)
    for number in (1, 2):
        graphs.keep(base.vae, object())
        queue.add(Draw(id=number, attempt=1, prompt="a cat", options=DrawOptions(seed=number, steps=1)))
        queue.draw_batch(lambda: None)
        assert not graphs.free_kept()
    ends = [(event.job, type(event)) for event in events if isinstance(event, Finished | Failed)]
    assert ends == [(1, Finished), (2, Failed)]


def test_the_next_adapters_come_while_a_batch_is_drawn(base: Base) -> None:
    """Those of draws that wait, one in each step, so the device has not to wait for them. A bad one stops nobody."""
    own = replace(base, captured=CapturedDrawing(base, buckets=(1,), slots=3, rank=4))
    events: list[Event] = []
    queue = DrawQueue(own, events.append, lambda image, colour, options: b"sticker")
    files = [make(base, seed, 4, keyword="zorvex", background="green") for seed in (1, 2)]
    for number, adapter in enumerate([files[0], b"nothing", files[1]]):
        options = DrawOptions(cfg=5.0, steps=4)
        queue.add(Draw(id=number, attempt=1, prompt="a cat", adapter=adapter, options=options))
    queue.draw_batch(lambda: None)
    written: list[int] = []
    own.captured.bank.write = lambda slot, data: written.append(slot)
    while queue:
        queue.draw_batch(lambda: None)
    assert not written
    assert [(type(event), event.job) for event in events if isinstance(event, Finished | Failed)] == [
        (Finished, 0),
        (Failed, 1),
        (Finished, 2),
    ]


def test_threads_make_stickers_while_the_device_goes_on(base: Base) -> None:
    """Drawing waits for no sticker. A cancelled one is dropped, a bad one fails its job alone."""
    go, made = threading.Event(), queue.SimpleQueue[Made]()
    events: list[Event] = []

    def slow(image: Image.Image, colour: object, options: DrawOptions) -> bytes:
        go.wait()
        if options.seed == 3:
            raise JobError("empty-cutout")
        return b"sticker"

    draws = DrawQueue(base, events.append, slow, put=made.put)
    for number in (1, 2, 3):
        options = DrawOptions(seed=number, cfg=5.0, steps=2)
        draws.add(Draw(id=number, attempt=1, prompt=f"a cat {number}", options=options))
    while draws:
        draws.draw_batch(lambda: None)
    assert draws.making
    draws.cancel(2)
    go.set()
    for _ in range(3):
        draws.take(made.get())
    assert not draws.making
    ended = {event.job: type(event) for event in events}
    assert ended == {1: Finished, 2: Cancelled, 3: Failed}
    assert [event.sticker for event in events if isinstance(event, Drawn)] == [b"sticker"]
