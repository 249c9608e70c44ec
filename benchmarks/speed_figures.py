"""Rows 1 to 5, 8 and 9 of ``benchmarks.speed`` on one GPU in three minutes, compiler and peers included.

``python3 -m benchmarks.speed figures --seconds S`` compiles what is to be compiled in processes of their own, at the
same time, while others measure what needs no compiler. Who measures has the GPU alone, but for what others do to warm
up. Each prints and keeps what it found at once; what is not done after S seconds is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Any

from benchmarks import speed_drawing, speed_memory, speed_training
from benchmarks import speed_setup as setup
from benchmarks.speed_setup import PEOPLE, Setting

# Children, each a list of parts that follow one another. The longest begin first.
CHILDREN = (
    ("people",),
    ("bare",),
    ("one",),
    ("peer-people",),
    ("peer-one",),
    ("graphs",),
    ("whole-training", "switching", "memory", "training", "cold"),
)


def figures(setting: Setting, argv: list[str], seconds: float) -> None:
    """Run all children, and print their lines as they come."""
    began = time.monotonic()
    setup.load_base(setting)
    threads = str(max(1, (os.cpu_count() or 1) // len(CHILDREN)))
    until = began + seconds
    followers = [
        threading.Thread(target=_follow, args=(parts, argv, threads, until), daemon=True)
        for parts in CHILDREN
    ]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join(max(0.1, until + 3 - time.monotonic()))  # who helps the compiler may hold a pipe longer


def _follow(parts: tuple[str, ...], argv: list[str], threads: str, until: float) -> None:
    """Run parts one after the other, with their names before their lines."""
    for name in parts:
        if time.monotonic() > until:
            return
        compiled = [] if name in PARTS and name != "graphs" else ["--no-compile"]
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed", "figure", name, *argv, *compiled],
            env={**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": threads, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        timer = threading.Timer(max(0.1, until - time.monotonic()), os.killpg, (child.pid, signal.SIGKILL))
        timer.start()
        assert child.stdout is not None
        _print(name, child.stdout)
        if child.wait():
            print(f"{name}: ended with {child.returncode}", flush=True)
        timer.cancel()


def _print(name: str, lines: IO[str]) -> None:
    for line in lines:
        if line.strip():
            print(f"{name}: {line.rstrip()[:200]}", flush=True)


def part(setting: Setting, name: str) -> None:
    """What a child runs."""
    (PARTS | OTHERS)[name](setting)


def ours(setting: Setting, name: str, *, compiled: bool) -> None:
    """Row 1 or 2 of ours: the time first, then how far it is from PEFT."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    count = speed_drawing.KINDS[name][0]
    own = speed_drawing.own_base(setting, base, [count], [name] if compiled else [])
    label = f"{'compiled' if compiled and setting.compiled else 'graphs'}, {name}"

    def draw(number: int) -> None:
        given: list[bytes | None] = [files[(number + i) % PEOPLE] for i in range(count)]
        wanted = [None] * count if name == "bare" else given
        setup.pictures(own, setup.items(wanted, 1000 + 100 * number), setting.steps)

    found = _rate(setting, f"ours, {label}", draw, count)
    if count == 1:
        found |= speed_drawing._parts(setting, own, files[0])
    found["decoder"] = str(own.captured._decoder.dtype)
    setting.report(_row(count), found)
    if name != "bare":
        setting.report(f"{_row(count)}, {label}", speed_drawing._equal(setting, own, files[:count]))


def graphs(setting: Setting) -> None:
    """Rows 1 and 2 of ours without the compiler."""
    for name in ("one", "people"):
        ours(setting, name, compiled=False)


def peer_one(setting: Setting) -> None:
    """Row 1 of diffusers, and its way of drawing for several people."""
    base = setup.load_base(setting)
    eager = setup.pipeline(setting, base)
    setup.put_on(setting, eager, 0)
    draw = partial(_theirs, setting, count=1)
    found = _rate(setting, "diffusers, eager", partial(draw, eager), 1)
    setting.report(_row(1), found)

    def swap(number: int) -> None:
        eager.unload_lora_weights()
        setup.put_on(setting, eager, number % PEOPLE)
        draw(eager, number)

    setting.report(_row(PEOPLE), _rate(setting, "diffusers, swap and draw", swap, 1))
    fused = partial(draw, setup.fused(setting, base))
    setting.report(_row(1), _rate(setting, "diffusers, compiled, one adapter fused", fused, 1))


def peer_people(setting: Setting) -> None:
    """Row 2 of diffusers without adapters."""
    pipe = setup.pipeline(setting, setup.load_base(setting))
    draw = partial(_theirs, setting, pipe, count=PEOPLE)
    setting.report(_row(PEOPLE), _rate(setting, "diffusers, eager, no adapters", draw, PEOPLE))
    setup.compiled(setting, pipe, "default")
    setting.report(_row(PEOPLE), _rate(setting, "diffusers, compiled, no adapters", draw, PEOPLE))


def _theirs(setting: Setting, pipe: Any, number: int, *, count: int) -> None:
    prompts = [f"zorvex fox {number} {i}, on a plain white background" for i in range(count)]
    setup.drawn_by(setting, pipe, prompts, number)


def _rate(setting: Setting, name: str, call: Callable[[int], Any], count: int) -> dict[str, Any]:
    rounds = setting.rounds if count == 1 else min(setting.rounds, 3)
    seconds = setting.interleaved({name: call}, rounds=rounds)[name]
    return {f"{name}, s": seconds, f"{name}, img/s": count / seconds}


def _row(count: int) -> str:
    return "1 one picture" if count == 1 else "2 sixteen people"


PARTS: dict[str, Callable[[Setting], None]] = {
    **{name: partial(ours, name=name, compiled=True) for name in speed_drawing.KINDS},
    "peer-one": peer_one,
    "peer-people": peer_people,
    "graphs": graphs,
}
OTHERS: dict[str, Callable[[Setting], None]] = {
    "whole-training": speed_training.whole,
    "switching": speed_drawing.switching,
    "memory": speed_memory.memory,
    "training": speed_training.rates,
    "cold": speed_drawing.cold,
}
