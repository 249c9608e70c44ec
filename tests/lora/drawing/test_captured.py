"""Drawing with fixed buffers and slots gives the pictures of the eager loop, for any mixture of people.

On a CPU the same code runs without CUDA graphs.
"""

import gc
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lora.drawing import captured, mixed_batches, sampling
from lora.drawing.captured import CapturedDrawing, Phase, full_batch
from lora.drawing.mixed_batches import draw_mixed, phases_of
from lora.drawing.sampling import DrawProgress, Item, Picture
from lora.drawing.solver import solver_of
from lora.jobs import JobError
from lora.models import graphs
from lora.models.base_model import Base
from tests.lora.adapters.files import make

CAT = Item(prompt="a cat", seed=3, cfg=5.0)


def adapter(base: Base, seed: int, keyword: str, background: str, rank: int = 4) -> bytes:
    return make(base, seed, rank, keyword=keyword, background=background)


@pytest.fixture
def items(base: Base) -> list[Item]:
    """People with different adapters, prompts, CFGs, seeds, one of them without an adapter."""
    one, two = adapter(base, 1, "zorvex", "green"), adapter(base, 2, "quolm", "white", rank=8)
    return [
        replace(CAT, adapter=one),
        replace(CAT, adapter=two, prompt="a dog", cfg=1.0, seed=4),
        replace(CAT, seed=5, negative_prompt="blue"),
        replace(CAT, adapter=one, cfg=9.0, seed=6, background="blue"),
        replace(CAT, adapter=two, seed=7, strength=1.5, near=(8,)),
    ]


def eager(base: Base, items: list[Item], steps: int) -> list[Picture]:
    drawn = [one for one in sampling.draw(base, items, steps=steps) if isinstance(one, Picture)]
    return sorted(drawn, key=lambda picture: picture.index)


def mixed(base: Base, items: list[Item], steps: int, drawing: CapturedDrawing | None = None) -> list[Picture]:
    drawing = drawing or CapturedDrawing(base, buckets=(1, 2, 8))
    return [one for one in draw_mixed(base, drawing, items, steps=steps) if isinstance(one, Picture)]


def far(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


@pytest.mark.parametrize(("steps", "merge_each"), [(5, False), (16, False), (5, True)])
def test_a_mixed_batch_is_each_drawn_alone(
    base: Base, items: list[Item], steps: int, merge_each: bool
) -> None:
    """DPM-Solver++ with fewer and with more than the 15 steps where diffusers ends otherwise."""
    drawing = CapturedDrawing(base, buckets=(1, 2, 8), merge_each=merge_each)
    for ours, theirs in zip(mixed(base, items, steps, drawing), eager(base, items, steps), strict=True):
        assert far(ours.image, theirs.image) <= 1
        assert (ours.index, ours.background_colour) == (theirs.index, theirs.background_colour)
    assert len({picture.image.tobytes() for picture in mixed(base, items, steps)}) == len(items)


@pytest.mark.parametrize("how", [{"merge_each": False}, {"merge_each": True}, {"lean": True}])
def test_one_person_alone_has_merged_weights(base: Base, items: list[Item], how: dict[str, bool]) -> None:
    """A batch of one adapter, then one of several, then the first again: nothing is left of the batch before."""
    drawing = CapturedDrawing(
        base, buckets=(1, 2, 8), merge_each=how.get("merge_each"), lean=how.get("lean", False)
    )
    assert drawing.alone == (0 if how.get("lean") else 1)
    alone = [items[0], items[3]]
    for some in (alone, items, [items[2]], alone):
        for ours, theirs in zip(mixed(base, some, 5, drawing), eager(base, some, 5), strict=True):
            assert far(ours.image, theirs.image) <= 1


@pytest.mark.parametrize("merge_each", [False, True])
def test_one_adapter_in_two_strengths(base: Base, items: list[Item], merge_each: bool) -> None:
    """Weights that are merged for all pictures of a batch would give both the strength of the first."""
    drawing = CapturedDrawing(base, buckets=(1, 2, 8), merge_each=merge_each)
    both = [replace(items[0], strength=strength) for strength in (1.0, 0.3)]
    ours, theirs = mixed(base, both, 5, drawing), eager(base, both, 5)
    assert [far(one.image, other.image) <= 1 for one, other in zip(ours, theirs, strict=True)] == [True, True]
    assert far(ours[0].image, ours[1].image) > 1


def test_guidance_stops_as_without_graphs(base: Base, items: list[Item]) -> None:
    other = replace(base, profile=replace(base.profile, guidance_stop=0.5))
    for ours, theirs in zip(mixed(other, items, 8), eager(other, items, 8), strict=True):
        assert far(ours.image, theirs.image) <= 1
    assert far(mixed(other, items, 8)[0].image, mixed(base, items, 8)[0].image) > 1


def test_without_guidance_the_denoiser_sees_a_picture_once(base: Base) -> None:
    plain = [replace(CAT, cfg=1.0), replace(CAT, cfg=1.0, seed=9)]
    drawing = CapturedDrawing(base, buckets=(1, 2))
    seen: list[int] = []
    drawing.denoiser.unet.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    for ours, theirs in zip(mixed(base, plain, 3, drawing), eager(base, plain, 3), strict=True):
        assert far(ours.image, theirs.image) <= 1
    assert seen == [2, 2, 2]


def test_numbers_out_of_bounds_do_not_outlive_their_batch(base: Base) -> None:
    drawing = CapturedDrawing(base, buckets=(1, 2))
    with pytest.raises(JobError, match="while drawing"):
        mixed(base, [replace(CAT, cfg=1e38)], 4, drawing)
    assert far(mixed(base, [CAT], 4, drawing)[0].image, eager(base, [CAT], 4)[0].image) <= 1


def test_every_step_is_an_event(base: Base) -> None:
    drawing = CapturedDrawing(base, buckets=(1,))
    events = list(draw_mixed(base, drawing, [CAT], steps=5))
    assert events[:5] == [DrawProgress(step=number, steps=5) for number in range(1, 6)]
    assert isinstance(events[5], Picture)


def test_phases_begin_where_something_changes(base: Base) -> None:
    profile = replace(base.profile, guidance_stop=0.55)
    solver = solver_of(replace(base, profile=profile), 20)
    assert phases_of(profile, solver, guided=True) == [Phase(0, True), Phase(11, False)]
    assert phases_of(profile, solver, guided=False) == [Phase(0, False)]
    throughout = replace(profile, guidance_stop=1.0)
    assert phases_of(throughout, solver, guided=True) == [Phase(0, True)]


def test_what_fits_no_slots_is_drawn_without_them(base: Base, items: list[Item]) -> None:
    """A batch with an adapter of a higher rank than the slots have: the same pictures, in order."""
    large = replace(CAT, adapter=adapter(base, 9, "zorvex", "white", rank=17))
    some = [items[0], large, items[2]]
    drawing = CapturedDrawing(base, buckets=(1, 2))
    found = [
        one
        for one in mixed_batches.draw_captured(base, drawing, some, steps=3, batch_size=2)
        if isinstance(one, Picture)
    ]
    assert sorted(picture.index for picture in found) == [0, 1, 2]
    for ours, theirs in zip(sorted(found, key=lambda one: one.index), eager(base, some, 3), strict=True):
        assert far(ours.image, theirs.image) <= 1


def test_without_graphs_nothing_is_compiled(base: Base) -> None:
    """On a CPU ``compile = true`` changes nothing."""
    plain = replace(base, captured=None)
    mixed_batches.compile_drawing(plain)
    assert plain.captured is None


def test_buffers_that_others_replace_are_freed(base: Base) -> None:
    """Those of a base that is compiled after it was captured."""
    own = replace(base, captured=CapturedDrawing(base, buckets=(1,), slots=1))
    before = weakref.ref(own.captured)
    own.captured = CapturedDrawing(own, buckets=(1,), slots=1)
    gc.collect()
    assert before() is None


@pytest.mark.parametrize("kept", [True, False])
def test_merged_weights_find_room_where_something_is_kept(
    base: Base, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept:
        graphs.keep(base.vae, object())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20 * (kept and not graphs._kept), 20))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert captured._room_for(10, torch.device("cuda")) is kept
    assert not graphs.free_kept()


@pytest.mark.parametrize("kept", [True, False])
def test_buffers_are_made_again_if_memory_can_be_freed(
    base: Base, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made before memory ran out is gone by then. If none can be freed, drawing goes on without graphs."""
    own = replace(base, captured=None, device=torch.device("cuda"))
    made: list[weakref.ref[Tensor]] = []

    def make_some(given: Base, *, small: bool) -> Any:
        buffers = torch.zeros(1)
        made.append(weakref.ref(buffers))
        if len(made) == 1:
            raise torch.OutOfMemoryError
        assert made[0]() is None
        return CapturedDrawing(base, buckets=(1,), slots=1)

    monkeypatch.setattr(mixed_batches, "made_for", make_some)
    monkeypatch.setattr(mixed_batches, "memory_gb", lambda device: 80.0)
    if kept:
        graphs.keep(base.vae, object())
    assert (mixed_batches.captured_drawing(own) is not None) is kept
    assert len(made) == 1 + kept


@pytest.mark.parametrize(
    ("waiting", "compiled", "drawn"),
    [(1, (), 1), (3, (), 2), (15, (), 8), (16, (), 16), (40, (), 16), (8, (1, 16), 8), (9, (1, 16), 9)],
)
def test_a_batch_is_full_if_it_can_be(waiting: int, compiled: tuple[int, ...], drawn: int) -> None:
    """A padded one takes as long as a full one. Only where the larger size alone is compiled it is padded."""
    assert full_batch(waiting, (1, 2, 4, 8, 16), set(compiled)) == drawn


def test_after_rehearsal_nothing_is_left_to_compile(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of any size finds its decoder recorded: else people would wait for the compiler."""
    monkeypatch.setattr(torch, "compile", lambda denoiser, **_: denoiser)
    drawing = CapturedDrawing(base, buckets=(1, 2, 8))
    monkeypatch.setattr(drawing._decoder, "compile", lambda: None)
    drawing.compile([(1, True, 1), (8, True, drawing.mixed(8)), (8, True, 1)])
    drawing.rehearse()
    known = set(drawing._graphs._graphs)
    for count in (1, 2, 3, 6, 8):
        latents = torch.zeros(count, *drawing.start.shape[1:])
        assert len(list(drawing.decode(latents))) == count
    assert {key for key in drawing._graphs._graphs if key[0] == "decode"} <= known
    assert {("step", 1, True, 1), ("step", 8, True, 1)} <= known
