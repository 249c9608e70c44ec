"""Trainings of several people share their steps, and each is the training that it would be alone.

On a CPU the same code runs without a CUDA graph.
"""

import copy
import gc
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load

from lora.adapters import lora_layers
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, TrainSettings
from lora.models import graphs
from lora.models.base_model import Base
from lora.training import captured, loop, shared_step
from lora.training.plan import Plan, make_plan


@pytest.fixture(autouse=True)
def captures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "suits", lambda run, processes: True)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many trainings each pass was for."""
    found: list[int] = []
    one_pass = shared_step.SharedStep._pass

    def seen(self: shared_step.SharedStep, some: Sequence[shared_step.Member]) -> None:
        found.append(len(some))
        one_pass(self, some)

    monkeypatch.setattr(shared_step.SharedStep, "_pass", seen)
    return found


def job(samples: tuple[Sample, ...], id: int, **changes: Any) -> Train:
    settings = TrainSettings(
        steps=6, batch_size=1, learning_rate=5e-3, rank=4, checkpoint_steps=3, seed=10 * id
    )
    return Train(
        id=id,
        attempt=1,
        keyword=f"zorvex{id}",
        samples=samples[id % 3 :][:3],
        settings=replace(settings, **changes),
    )


def plan(base: Base, what: Train, **changes: Any) -> Plan:
    return replace(make_plan(base, what.settings, samples=len(what.samples)), **changes)


def in_turns(base: Base, work: Sequence[tuple[Train, Plan]], *, late: int = 0) -> dict[int, list[Any]]:
    """The events of trainings that take turns. ``late`` events of the others pass before the last one begins."""
    found: dict[int, list[Any]] = {what.id: [] for what, _ in work}
    running = deque((what.id, loop.train(base, what, how)) for what, how in work)
    last, passed = work[-1][0].id, 0
    while running:
        id, events = running.popleft()
        passed += 1
        try:
            if id != last or passed > late:
                found[id].append(next(events))
        except StopIteration:
            continue
        except JobError as error:
            found[id].append(error)
            continue
        running.append((id, events))
    return found


def states(events: Sequence[Any]) -> dict[int, bytes]:
    return {one.step: one.state for one in events if isinstance(one, Checkpoint)}


def check_same(state: bytes, other: bytes, *, share: float, part: str = "weight/") -> None:
    """Each tensor of a state is another's within a share of its norm."""
    left, right = load(state), load(other)
    assert set(left) == set(right)
    for key in (key for key in left if key.startswith(part)):
        apart = float((left[key] - right[key]).norm() / right[key].norm().clamp_min(1e-9))
        assert apart < share, (key, apart)


def test_gradients_are_those_of_a_training_alone(
    base: Base, samples: tuple[Sample, ...], passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four people's, each against the usual step: without a beta the first moment is the gradient."""
    work = [
        (
            what := job(samples, id, steps=9, learning_rate=1e-4, checkpoint_steps=9),
            plan(base, what, adam_beta1=0.0),
        )
        for id in range(4)
    ]
    together = in_turns(base, work)
    assert 4 in passes
    monkeypatch.setattr(captured, "suits", lambda run, processes: False)
    gradients = []
    for what, how in work:
        alone = states(list(loop.train(base, what, how)))[9]
        check_same(states(together[what.id])[9], alone, share=3e-4, part="exp_avg/")  # rounding of nine steps
        key = min(key for key in load(alone) if "exp_avg/" in key and "lora_B" in key)
        gradients.append(load(alone)[key])
    assert all(not torch.allclose(one, gradients[0], rtol=0.1) for one in gradients[1:])


def test_whole_trainings_are_those_of_each_alone(
    base: Base, samples: tuple[Sample, ...], passes: list[int]
) -> None:
    """They begin at different times, have other rates, lengths, averages and limits, and one is resumed."""
    work = [
        (what := job(samples, 0, steps=16, checkpoint_steps=8), plan(base, what)),
        (
            what := job(samples, 1, steps=14, checkpoint_steps=14),
            plan(base, what, ema_decay=0.9, max_grad_norm=1e-3),
        ),
        (
            what := job(samples, 2, steps=12, checkpoint_steps=4, learning_rate=1e-3),
            plan(base, what, snr_gamma=5.0, schedule="cosine"),
        ),
    ]
    alone = {what.id: list(loop.train(base, what, how)) for what, how in work}
    resumed = replace(work[2][0], resume=states(alone[2])[4])
    passes.clear()
    together = in_turns(base, [*work[:2], (resumed, work[2][1])], late=6)
    assert set(passes) == {1, 2, 3}
    for what, _ in work:
        mine, others = states(together[what.id]), states(alone[what.id])
        for step in mine:
            check_same(mine[step], others[step], share=2e-3)
        losses = [one.loss for one in together[what.id] if isinstance(one, Progress) and one.loss is not None]
        expected = [one.loss for one in alone[what.id] if isinstance(one, Progress) and one.loss is not None]
        assert losses == pytest.approx(expected[-len(losses) :], rel=1e-3)
    assert list(states(together[2])) == [8, 12]
    lora_layers.activate(base, None)


def test_one_that_diverges_harms_no_other(base: Base, samples: tuple[Sample, ...], passes: list[int]) -> None:
    good, bad = job(samples, 0), job(samples, 1, learning_rate=1e38)
    alone = states(list(loop.train(base, good, plan(base, good))))
    passes.clear()
    both = in_turns(base, [(good, plan(base, good)), (bad, plan(base, bad, warmup_steps=0))])
    assert isinstance(both[1][-1], JobError)
    assert both[1][-1].code == "not-a-number"
    check_same(states(both[0])[6], alone[6], share=2e-3)
    assert set(passes) == {1, 2}


def short_of_memory(monkeypatch: pytest.MonkeyPatch, short: Callable[[list[int]], bool]) -> list[int]:
    """The sizes of all passes that are tried. A pass has no memory if ``short`` says so of the sizes until then."""
    sizes: list[int] = []
    work_of = shared_step.SharedStep._work

    def work(self: shared_step.SharedStep, count: int) -> None:
        sizes.append(count)
        if short(sizes):
            raise torch.OutOfMemoryError
        work_of(self, count)

    monkeypatch.setattr(shared_step.SharedStep, "_work", work)
    return sizes


def test_short_memory_lets_fewer_share_a_pass(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps go on; a pass for one that has no room fails its training."""
    sizes = short_of_memory(monkeypatch, lambda sizes: sizes[-1] > 1)
    work = [(what := job(samples, id, steps=6), plan(base, what)) for id in range(3)]
    together = in_turns(base, work)
    assert [size for size in sizes if size > 1] in ([4], [2])
    assert len([size for size in sizes if size == 1]) == 18
    assert all(6 in states(events) for events in together.values())


def test_nothing_is_kept_when_all_have_ended(base: Base, samples: tuple[Sample, ...]) -> None:
    """A graph holds the memory of a pass: it goes with the last training, also with one that is given up."""
    given_up = loop.train(base, what := job(samples, 0), plan(base, what))
    while next(given_up).loss is None:  # type: ignore[union-attr]
        pass
    assert shared_step._shared[base.unet]
    given_up.close()
    assert not shared_step._shared[base.unet]
    assert not graphs.free_kept()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[shared_step.SharedStep]]]:
    """What trainings have made to share, on a device that keeps the last one."""
    found: list[weakref.ref[shared_step.SharedStep]] = []
    init = shared_step.SharedStep.__init__

    def seen(self: shared_step.SharedStep, base: Base, alike: shared_step.Alike) -> None:
        found.append(weakref.ref(self))
        init(self, base, alike)

    monkeypatch.setattr(shared_step.SharedStep, "__init__", seen)
    monkeypatch.setattr(shared_step, "keeps_last", lambda device: True)
    yield found
    graphs.free_kept()


def test_the_next_training_that_is_alike_uses_what_the_last_one_made(
    base: Base, samples: tuple[Sample, ...], made: list[weakref.ref[shared_step.SharedStep]]
) -> None:
    """Another person's learns what it learns with buffers of its own. One of another kind takes the place."""
    work = [(what := job(samples, id), plan(base, what)) for id in (0, 1)]
    own = states(list(loop.train(base, *work[1])))
    graphs.free_kept()
    made.clear()
    kept = [states(list(loop.train(base, what, how))) for what, how in work]
    assert len(made) == 1
    assert kept[1] == own
    assert kept[0] != own
    assert made[0]().busy == 0.0  # type: ignore[union-attr]
    list(loop.train(base, other := job(samples, 2, rank=2), plan(base, other)))
    gc.collect()
    assert [one() is None for one in made] == [True, False]
    assert graphs.free_kept()
    gc.collect()
    assert made[1]() is None


def test_only_a_card_with_much_memory_keeps_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for gb, keeps in ((8, False), (40, False), (48, True)):
        monkeypatch.setattr("lora.models.device.memory_gb", lambda device, has=gb: has)
        assert shared_step.keeps_last(torch.device("cuda")) is keeps


def test_a_training_without_graphs_frees_what_is_kept(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captured, "suits", lambda run, processes: False)
    graphs.keep(base.vae, object())
    events = loop.train(base, what := job(samples, 0), plan(base, what))
    next(event for event in events if isinstance(event, Progress) and event.loss is not None)
    events.close()
    assert not graphs.free_kept()


def test_what_is_kept_goes_with_its_base(
    base: Base, samples: tuple[Sample, ...], made: list[weakref.ref[shared_step.SharedStep]]
) -> None:
    """Also if the base has drawn: then it holds graphs that refer to its denoiser."""
    own = replace(base, unet=copy.deepcopy(base.unet))
    own.captured = SimpleNamespace(source=own.unet)
    network = weakref.ref(own.unet)
    list(loop.train(own, what := job(samples, 0), plan(own, what)))
    gc.collect()
    assert made[0]() is not None
    del own
    gc.collect()
    assert network() is None
    assert made[0]() is None


def test_what_is_kept_is_freed_before_fewer_share_a_pass(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def third(sizes: list[int]) -> bool:
        if len(sizes) == 3:
            graphs.keep(base.vae, object())
        return len(sizes) == 3

    sizes = short_of_memory(monkeypatch, third)
    work = [(what := job(samples, id), plan(base, what)) for id in range(2)]
    together = in_turns(base, work)
    assert sizes[2] == sizes[3] == 2
    assert not graphs.free_kept()
    assert all(6 in states(events) for events in together.values())
