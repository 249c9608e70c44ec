"""Which pictures share a batch: on a GPU everybody's, in turns; else those of one adapter."""

from dataclasses import replace

import pytest

from lora.drawing import mixed_batches
from lora.drawing.captured import CapturedDrawing
from lora.drawing.sampling import Item
from lora.engine.draw_queue import DrawQueue, Waiting, in_turns
from lora.jobs import Draw, Drawn, DrawOptions, Event, Finished
from lora.models.base_model import Base


def waiting(job_id: int, index: int) -> Waiting:
    return Waiting(job_id=job_id, index=index, item=Item(prompt="a cat", seed=1, cfg=1.0), steps=4)


def test_each_job_has_its_turn() -> None:
    """Three of the first job, then two others of one each: all three jobs are in a batch of three."""
    queue = [waiting(1, 0), waiting(1, 1), waiting(1, 2), waiting(2, 0), waiting(3, 0)]
    found = [(one.job_id, one.index) for one in in_turns(queue)]
    assert found == [(1, 0), (2, 0), (3, 0), (1, 1), (1, 2)]
    assert in_turns([]) == []


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
