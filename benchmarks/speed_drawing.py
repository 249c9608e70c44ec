"""Rows 1, 2, 3 and 8 of ``benchmarks.speed``: drawing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from benchmarks import speed_setup as setup
from benchmarks.speed_setup import PEOPLE, Setting, say
from lora.adapters import lora_layers
from lora.adapters.slot_bank import SlotBank
from lora.drawing import mixed_batches
from lora.drawing.captured import CapturedDrawing
from lora.drawing.sampling import Picture
from lora.models.base_model import Base

# name -> (bucket, whether its pictures have several adapters) that the compiler writes kernels for
KINDS = {"one": (1, False), "people": (PEOPLE, True), "bare": (PEOPLE, False)}


def one_picture(setting: Setting) -> None:
    """Row 1: one picture with a person's adapter, from the prompt to the decoded image."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    eager, fused = setup.pipeline(setting, base), setup.fused(setting, base)
    setup.put_on(setting, eager, 0)
    graphs, fast = own_base(setting, base, [1], []), own_base(setting, base, [1], ["one"])
    found: dict[str, Any] = _equal(setting, graphs, [files[0]])
    if setting.compiled:
        found |= {f"compiled, {key}": value for key, value in _equal(setting, fast, [files[0]]).items()}

    def ours(drawing: Base, number: int) -> None:
        setup.pictures(drawing, setup.items([files[number % PEOPLE]], 1000 + number), setting.steps)

    def theirs(pipe: Any, number: int) -> None:
        setup.drawn_by(setting, pipe, [f"zorvex fox number {number}, on a plain white background"], number)

    calls = {
        "diffusers, eager": partial(theirs, eager),
        "diffusers, compiled, one adapter fused": partial(theirs, fused),
        "ours, graphs, another adapter each time": partial(ours, graphs),
        "ours, compiled, another adapter each time": partial(ours, fast),
    }
    times = setting.interleaved(calls)
    seconds = {f"{name}, s": value for name, value in times.items()}
    best = min(times[name] for name in times if name.startswith("ours"))
    ratios = {
        "times as fast as eager": times["diffusers, eager"] / best,
        "times as fast as compiled and fused": times["diffusers, compiled, one adapter fused"] / best,
    }
    setting.report("1 one picture", {**found, **seconds, **ratios, **_parts(setting, fast, files[0])})


def many_people(setting: Setting) -> None:
    """Row 2: sixteen people, sixteen adapters, a picture each, decoded."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    swapped, bare = setup.pipeline(setting, base), setup.pipeline(setting, base)
    fast_bare = setup.compiled(setting, setup.pipeline(setting, base), "default")
    graphs, fast = (
        own_base(setting, base, [PEOPLE], []),
        own_base(setting, base, [PEOPLE], ["people", "bare"]),
    )
    found: dict[str, Any] = _equal(setting, graphs, files[:PEOPLE])
    if setting.compiled:
        more = _equal(setting, fast, files[:PEOPLE])
        found |= {f"compiled, {key}": value for key, value in more.items()}

    def swap(number: int) -> None:
        swapped.unload_lora_weights()
        setup.put_on(setting, swapped, number % PEOPLE)
        setup.drawn_by(setting, swapped, [f"zorvex fox {number}"], number)

    def theirs(pipe: Any, number: int) -> None:
        prompts = [f"fox {number} {i}, on a plain white background" for i in range(PEOPLE)]
        setup.drawn_by(setting, pipe, prompts, number)

    def ours(drawing: Base, own: bool, number: int) -> None:
        given: list[bytes | None] = [*files[:PEOPLE]] if own else [None] * PEOPLE
        setup.pictures(drawing, setup.items(given, 100 * number), setting.steps)

    calls: dict[str, Callable[[int], None]] = {
        "diffusers, swap and draw": swap,
        "diffusers, eager, no adapters": partial(theirs, bare),
        "diffusers, compiled, no adapters": partial(theirs, fast_bare),
        "ours, graphs, 16 adapters": partial(ours, graphs, True),
        "ours, compiled, 16 adapters": partial(ours, fast, True),
        "ours, compiled, no adapters": partial(ours, fast, False),
    }
    times = setting.interleaved(calls, rounds=min(setting.rounds, 4))
    rates = {f"{name}, img/s": (1 if "swap" in name else PEOPLE) / seconds for name, seconds in times.items()}
    share = rates["ours, compiled, 16 adapters, img/s"] / rates["ours, compiled, no adapters, img/s"]
    setting.report("2 sixteen people", {**found, **rates, "of our own rate without adapters": share})


def switching(setting: Setting) -> None:
    """Row 3: the next person's adapter, from the file's bytes to rows and merged weights that are ready."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    drawing = CapturedDrawing(base, buckets=(1,), slots=PEOPLE)
    bank, pipe = drawing.bank, setup.pipeline(setting, base)
    weights = drawing.denoiser.merged_weights()
    drawing.denoiser.use_merged(weights)

    def use(data: bytes) -> None:
        bank.use([bank.load([data])[0].slot], [1.0])

    def new(number: int) -> None:
        use(fresh.pop())

    def known(number: int) -> None:
        use(files[number % 2])

    def merged(number: int) -> None:
        use(files[number % 2])
        drawing.denoiser.merge()

    def theirs(number: int) -> None:
        pipe.unload_lora_weights()
        setup.put_on(setting, pipe, number % PEOPLE)

    bank.load(files[:2])
    fresh = list(files[3:])
    rounds = min(max(setting.rounds, 3), len(fresh) - 2)
    calls = {
        "diffusers, unload and load": theirs,
        "ours, new": new,
        "ours, loaded": known,
        "ours, loaded, and added to merged weights": merged,
    }
    times = setting.interleaved(calls, rounds=rounds)
    found = {f"{name}, ms": seconds * 1e3 for name, seconds in times.items()}
    setting.report("3 the next person's adapter", {**_equal_slots(base, bank, files[0]), **found})


def cold(setting: Setting) -> None:
    """Row 8: a worker's first picture, in processes of their own."""
    setup.load_base(setting)
    found = {}
    for name in ("graphs", "compiled") if setting.compiled else ("graphs",):
        command = [
            sys.executable,
            "-m",
            "benchmarks.speed",
            "first",
            name,
            "--dir",
            str(setting.folder.parent),
        ]
        took = setting.timed(partial(subprocess.run, command + ["--tiny"] * setting.tiny, check=True))
        found[f"process to picture, {name}, s"] = took
    setting.report("8 a cold worker's first picture", found)


def first(setting: Setting, name: str) -> None:
    """What ``cold`` measures: import, load, and draw one."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    own = own_base(setting, base, [1], ["one"] if name == "compiled" else [])
    setup.pictures(own, setup.items([files[0]], 0), setting.steps)
    say("drew the first picture")


def warm(setting: Setting, name: str) -> None:
    """Fill the compiler's cache for one kind of ``KINDS``, or for a peer."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    if name == "peer one":
        setup.drawn_by(setting, setup.fused(setting, base), ["fox"], 0)
    elif name == "peer bare":
        pipe = setup.compiled(setting, setup.pipeline(setting, base), "default")
        setup.drawn_by(setting, pipe, ["fox"] * PEOPLE, 0)
    else:
        count = KINDS[name][0]
        own = own_base(setting, base, [count], [name])
        given: list[bytes | None] = [None] * count if name == "bare" else [*files[:count]]
        setup.pictures(own, setup.items(given, 0), setting.steps)
    say(f"compiled {name}")


WARM = (*KINDS, "peer one", "peer bare")


def own_base(setting: Setting, base: Base, buckets: list[int], kinds: list[str]) -> Base:
    """The base with graphs of its own; with ``kinds``, compiled for those."""
    slots = PEOPLE if PEOPLE in buckets else 2
    own = replace(base, captured=CapturedDrawing(base, buckets=buckets, slots=slots))
    if kinds and setting.compiled:
        own.captured.compile(
            [
                (bucket, True, own.captured.mixed(bucket) if several else 1)
                for bucket, several in map(KINDS.__getitem__, kinds)
            ]
        )
    return own


def _drawing(base: Base) -> CapturedDrawing:
    drawing: CapturedDrawing = base.captured
    return drawing


def _equal(setting: Setting, own: Base, files: list[bytes]) -> dict[str, float]:
    """How far pictures of one batch are from each drawn alone with PEFT, and how far PEFT's are from no adapter."""
    wanted = setup.items([*files], 7)
    count = len(files)
    made = [
        one.image
        for one in mixed_batches.draw_mixed(own, _drawing(own), wanted, steps=setting.steps)
        if isinstance(one, Picture)
    ]
    apart, effect = [], []
    for i in sorted({0, count // 3, count - 1}):
        (alone,) = setup.pictures(own, [wanted[i]], setting.steps, eagerly=True)
        (bare,) = setup.pictures(own, [replace(wanted[i], adapter=None)], setting.steps, eagerly=True)
        apart.append(setup.apart(made[i], alone))
        effect.append(setup.apart(bare, alone))
    lora_layers.activate(own, None)
    found = {"furthest from PEFT alone, levels": max(apart), "an adapter's effect, levels": min(effect)}
    assert max(apart) < max(1.0, 0.1 * min(effect)), found
    return found


@torch.no_grad()
def _equal_slots(base: Base, bank: SlotBank, data: bytes) -> dict[str, float]:
    """One call of the denoiser, through a slot and through PEFT."""
    side, width = base.unet.config.sample_size, base.unet.config.cross_attention_dim
    chance = torch.Generator(base.device).manual_seed(0)
    noisy = torch.randn(2, 4, side, side, generator=chance, device=base.device)
    texts = torch.randn(2, 77, width, generator=chance, device=base.device).to(base.dtype)
    t = torch.tensor([500], device=base.device)
    lora_layers.use_file(base, data)
    lora_layers.set_strength(base, 1.0)
    peft = base.predict(noisy, t, texts)
    lora_layers.activate(base, None)
    plain = base.predict(noisy, t, texts)
    drawing = CapturedDrawing(base, buckets=(1,), slots=1)
    drawing.bank.use([drawing.bank.load([data])[0].slot], [1.0])
    drawing.denoiser.use_groups(1)
    slotted = drawing.predict(noisy, t, texts)
    found = {
        "a slot against PEFT": setup.off(slotted, peft),
        "no adapter against PEFT": setup.off(plain, peft),
    }
    assert found["a slot against PEFT"] < 0.03, found
    return found


def _parts(setting: Setting, own: Base, data: bytes) -> dict[str, float]:
    """Milliseconds of the parts of one picture of ours."""
    drawing = _drawing(own)
    latents = torch.randn_like(drawing.start[:1])

    def ms(call: Any) -> float:
        call()
        return sorted(setting.timed(call) for _ in range(5))[2] * 1e3

    number = iter(range(10**6))
    return {
        "decode, ms": ms(lambda: list(drawing.decode(latents))),
        "embed a new prompt, ms": ms(lambda: own.embed([f"fox of the parts {next(number)}"])),
        "use a loaded adapter, ms": ms(lambda: drawing.bank.use([drawing.bank.load([data])[0].slot], [1.0])),
    }
