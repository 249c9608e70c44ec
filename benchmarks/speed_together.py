"""Rows 6 and 7 of ``benchmarks.speed``: people's trainings in one batch, and stickers drawn beside a training."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from safetensors.torch import load

from benchmarks import speed_setup as setup
from benchmarks import speed_training
from benchmarks.sd21_shape import samples
from benchmarks.speed_setup import Setting, say
from lora.engine import EngineSettings
from lora.engine.local import LocalEngine
from lora.jobs import (
    Cancelled,
    Checkpoint,
    Draw,
    Drawn,
    DrawOptions,
    Failed,
    Finished,
    Progress,
    Ready,
    Train,
    TrainSettings,
)
from lora.models.base_model import Base
from lora.training import captured, loop
from lora.training.plan import make_plan

TOGETHER = 4
EVERY = 2.0  # seconds between two stickers of row 7
WORKER = "1"


def together(setting: Setting) -> None:
    """Row 6: four people's trainings in one batch, beside the same trainings one after the other."""
    base = setup.load_base(setting)
    base.compiled = setting.compiled
    if setting.device.type != "cuda":
        captured.suits = lambda run, processes: True
    found: dict[str, Any] = _each_the_same(setting, base)
    steps = 2 if setting.tiny else 48
    for people in (1, 2, TOGETHER):
        running = [_steps(setting, base, id, 10**6) for id in range(people)]
        for _ in range(3):
            _in_turns(running, 2)
        times = []
        for _ in range(setting.rounds):
            times.append(setting.timed(lambda running=running: _in_turns(running, steps)))  # type: ignore[misc]
            say(f"  {people} people, {steps} steps each: {times[-1]:.3f} s")
        for one in running:
            one.close()  # type: ignore[attr-defined]
        found[f"{people} at once, img/s of all"] = people * steps / statistics.median(times)
    alone = found["1 at once, img/s of all"]
    found["times as fast as in turn"] = found[f"{TOGETHER} at once, img/s of all"] / alone
    setting.report("6 trainings together, batch 1 each", found)


def _in_turns(running: list[Iterator[Any]], steps: int) -> None:
    for _ in range(steps):
        for one in running:
            next(one)


def _steps(setting: Setting, base: Base, id: int, steps: int) -> Iterator[Any]:
    """A person's training: its events from the first step on."""
    what, plan = speed_training.job(setting, base, 1, steps=steps, checkpoint_steps=steps, seed=id)
    with closing(loop.train(base, replace(what, id=100 + id, keyword=f"zorvex{id}"), plan)) as events:
        for event in events:
            if isinstance(event, Checkpoint) or (isinstance(event, Progress) and event.loss is not None):
                yield event


def _each_the_same(setting: Setting, base: Base) -> dict[str, float]:
    """How far a person's weights are from those of training alone, by what training has changed of them."""
    steps = 4 if setting.tiny else 12
    alone = [_weights(list(_steps(setting, base, id, steps))) for id in range(TOGETHER)]
    running = {id: _steps(setting, base, id, steps) for id in range(TOGETHER)}
    seen: dict[int, list[Any]] = {id: [] for id in running}
    while running:
        for id in list(running):
            event = next(running[id], None)
            if event is None:
                del running[id]
            else:
                seen[id].append(event)
    both = [_weights(seen[id]) for id in range(TOGETHER)]
    apart = [_apart(one, other) for one, other in zip(both, alone, strict=True)]
    others = [_apart(alone[0], other) for other in alone[1:]]
    losses = [
        max(
            abs(a.loss - b.loss) / b.loss
            for a, b in zip(seen[0], _losses(setting, base, steps), strict=False)
        )
    ]
    found = {
        "upper halves, together against alone": max(apart),
        "upper halves, one person against another": min(others),
        "losses apart by a share of at most": max(losses),
    }
    assert max(apart) < (0.001 if setting.tiny else 0.3) * min(others), found
    return found


def _losses(setting: Setting, base: Base, steps: int) -> list[Progress]:
    return [event for event in _steps(setting, base, 0, steps) if isinstance(event, Progress)]


def _weights(events: list[Any]) -> dict[str, Any]:
    (saved,) = [event for event in events if isinstance(event, Checkpoint)]
    return {key: value for key, value in load(saved.adapter).items() if "lora_B" in key}


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """``||one - other|| / ||other||`` over all layers. Upper halves begin at zero: they are what was learned."""
    difference = sum(float((one[key] - value).square().sum()) for key, value in other.items())
    return float((difference / sum(float(value.square().sum()) for value in other.values())) ** 0.5)


def beside(setting: Setting) -> None:
    """Row 7: a sticker every two seconds beside a training, through the product's own worker."""
    state = _begun(setup.load_base(setting))
    setting.report("7 drawing beside a training", asyncio.run(_beside(setting, state)))


def _begun(base: Base) -> bytes:
    """The state after one step. A training that is resumed from it is not examined, which takes other libraries."""
    what = _training()
    plan = replace(make_plan(base, what.settings, samples=len(what.samples)), steps=1, checkpoint_steps=1)
    (state,) = [event.state for event in loop.train(base, what, plan) if isinstance(event, Checkpoint)]
    base.unet.cpu()
    base.text_encoder.cpu()
    base.vae.cpu()
    return state


async def _beside(setting: Setting, state: bytes) -> dict[str, Any]:
    engine = LocalEngine(
        EngineSettings(
            base=str(setting.base_folder),
            cache_dir=setting.folder,
            devices=("cuda:0" if setting.device.type == "cuda" else "cpu",),
        )
    )
    listening = Listening(engine)
    await engine.start()
    reader = asyncio.create_task(listening.run())
    try:
        await listening.until(lambda: listening.ready)
        say("the worker is ready")
        draws = 1 if setting.tiny else 8
        seconds = 2.0 if setting.tiny else 12.0
        await _draws(engine, listening, setting, 3, first=900)  # records graphs, loads the cut-out network
        idle = await _draws(engine, listening, setting, draws, first=0)
        await engine.submit(replace(_training(), resume=state), WORKER)
        await listening.until(lambda: len(listening.steps) > 3)
        await _draws(engine, listening, setting, 1, first=950)
        alone = await _rate(listening, seconds)
        watching = asyncio.create_task(_rate(listening, EVERY * draws))
        busy = await _draws(engine, listening, setting, draws, first=100)
        rate = await watching
        await engine.cancel(1)
    finally:
        reader.cancel()
        await engine.close()
    waits = {"idle": idle, "beside": busy}
    found: dict[str, Any] = {
        f"a sticker, {name}, median s": statistics.median(v) for name, v in waits.items()
    }
    found |= {f"a sticker, {name}, longest s": max(values) for name, values in waits.items()}
    found["beside, times as long as idle"] = statistics.median(busy) / statistics.median(idle)
    found |= {"training alone, steps/s": alone, "training beside, steps/s": rate, "kept": rate / alone}
    return {**found, "draws without a sticker (random weights)": listening.failed}


def _training() -> Train:
    settings = TrainSettings(steps=10**6, checkpoint_steps=10**6)
    return Train(
        id=1, attempt=1, keyword="zorvex", samples=samples(speed_training.SAMPLES), settings=settings
    )


class Listening:
    """What the worker has told so far."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._news = asyncio.Event()
        self.ready = False
        self.failed = 0
        self.ended: dict[int, float] = {}  # draw -> when
        self.steps: list[tuple[float, int]] = []  # of the training: when, which

    async def run(self) -> None:
        async for event in self._engine.events():
            now = time.monotonic()
            match event:
                case Ready():
                    self.ready = True
                case Progress() if event.loss is not None:
                    self.steps.append((now, event.step))
                case Drawn():
                    self.ended.setdefault(event.job, now)
                case Failed() if event.code == "empty-cutout":
                    self.failed += 1
                    self.ended.setdefault(event.job, now)
                case Failed():
                    raise RuntimeError(f"{event.code}: {event.detail}")
                case Finished() | Cancelled():
                    pass
            self._news.set()

    async def until(self, true: Any) -> None:
        while not true():
            await self._news.wait()
            self._news.clear()


async def _draws(
    engine: LocalEngine, listening: Listening, setting: Setting, count: int, *, first: int
) -> list[float]:
    """Seconds from asking to the sticker, of draws asked for one every ``EVERY`` seconds."""
    files = setup.adapters(setting)
    waits = []
    for number in range(first, first + count):
        job = Draw(
            id=10 + number,
            attempt=1,
            prompt=f"zorvex fox number {number}",
            adapter=files[number % setup.PEOPLE],
            options=DrawOptions(seed=number, steps=setting.steps),
        )
        asked = time.monotonic()
        await engine.submit(job, WORKER)
        await listening.until(lambda job=job: job.id in listening.ended)
        waits.append(listening.ended[job.id] - asked)
        say(f"  draw {number}: {waits[-1]:.3f} s")
        await asyncio.sleep(max(0.0, asked + (0 if setting.tiny else EVERY) - time.monotonic()))
    return waits


async def _rate(listening: Listening, seconds: float) -> float:
    """Training steps a second, from the first report within these seconds to the last."""
    begun = len(listening.steps)
    await listening.until(lambda: len(listening.steps) > begun)
    await asyncio.sleep(seconds)
    await listening.until(lambda: len(listening.steps) > begun + 2)
    (start, first), (end, last) = listening.steps[begun], listening.steps[-1]
    return (last - first) / (end - start)
