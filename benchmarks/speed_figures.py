"""Rows 1 to 5, 8 and 9 of ``benchmarks.speed`` on one GPU in one command, compiler and peers included.

``python3 -m benchmarks.speed figures [PART,PART...] [--seconds S] [--compiled-by C]`` has two phases. First every
part, in a process of its own, makes what it measures: compiles, draws once, checks that it draws what PEFT draws. Then
the parts measure one after the other, those of most value first; no other process uses the GPU meanwhile. A part
prints and keeps its figures at once, and its process is ended, which frees its memory. What is not compiled C seconds
after the start is left out; what is not done after S seconds is ended. What needs no compiler begins with its turn.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks import speed_drawing, speed_memory, speed_training
from benchmarks import speed_setup as setup
from benchmarks.speed_setup import MEASURED, PEOPLE, READY, Setting, say

SECONDS_TO_END = 5.0  # for the lines of an ended process to arrive
BEFORE = -9  # the number of a first picture: its prompts are not asked for again


@dataclass
class Child:
    """A part in a process of its own. Its lines are printed with its name before them."""

    name: str
    process: subprocess.Popen[str]
    ready: threading.Event = field(default_factory=threading.Event)  # to measure; also set when it has ended
    measured: threading.Event = field(default_factory=threading.Event)  # also set when it has ended
    failed: bool = False
    follower: threading.Thread | None = None

    @classmethod
    def start(cls, name: str, argv: list[str]) -> Child:
        threads = str(max(1, (os.cpu_count() or 1) // len(PARTS)))
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.speed",
                "figure",
                name,
                *argv,
                *["--no-compile"] * (name in LATER and name != "cold"),
            ],
            env={**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": threads, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        child = cls(name, process)
        child.follower = threading.Thread(target=child._follow, daemon=True)
        child.follower.start()
        return child

    def _follow(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if line.strip():
                    print(f"{self.name}: {line.rstrip()[:200]}", flush=True)
                if line.endswith(f"] {READY}\n"):
                    self.ready.set()
                if line.endswith(f"] {MEASURED}\n"):
                    self.measured.set()
        self.failed = not self.measured.is_set()
        self.ready.set()
        self.measured.set()

    def go(self) -> None:
        """Let it measure."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """End it and the processes that helped its compiler."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):  # it has not read what was written last
                self.process.stdin.close()
        if self.follower is not None:
            self.follower.join(SECONDS_TO_END)


def figures(setting: Setting, argv: list[str], names: list[str], seconds: float, compiled_by: float) -> None:
    """Run the parts of these names, or all of ``ORDER``, and print their lines as they come.

    ``seconds`` and ``compiled_by`` count from when this process has imported torch. Raises SystemExit for other names.
    """
    if unknown := set(names) - {*PARTS, *LATER}:
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}")
    children = [Child.start(name, argv) for name in names or ORDER]
    try:
        for child in children:
            _wait(child.ready, compiled_by)
        chosen = [child for child in children if child.ready.is_set() and not child.failed]
        for child in children:
            if child not in chosen:
                say(f"{child.name}: {'failed' if child.failed else f'not ready after {compiled_by:.0f} s'}")
                child.end()
        for child in chosen:
            _measure(child, seconds)
    finally:
        for child in children:
            child.end()
    say("all parts have ended")


def _measure(child: Child, seconds: float) -> None:
    if _left(seconds) <= 0:
        say(f"{child.name}: no time is left")
        return
    say(f"{child.name} measures")
    child.go()
    _wait(child.measured, seconds)
    if child.failed or not child.measured.is_set():
        say(f"{child.name}: {'failed' if child.failed else f'not done after {seconds:.0f} s'}")
    child.end()


def _wait(event: threading.Event, second: float) -> None:
    event.wait(max(0.0, _left(second)))


def _left(second: float) -> float:
    return setup.BEGAN + second - time.monotonic()


def part(setting: Setting, name: str) -> None:
    """What a child runs."""
    if name in LATER:
        setting.ready()
    (PARTS | LATER)[name](setting)
    say(MEASURED)


def ours(setting: Setting, name: str, *, compiled: bool) -> None:
    """Row 1 or 2 of ours, after a look at how far it is from PEFT."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    count = speed_drawing.KINDS[name][0]
    own = speed_drawing.own_base(setting, base, [count], [name] if compiled else [])
    label = f"{'compiled' if compiled and setting.compiled else 'graphs'}, {name}"

    def draw(number: int) -> None:
        given: list[bytes | None] = [files[(number + i) % PEOPLE] for i in range(count)]
        if name == "bare":
            given = [None] * count
        setup.pictures(own, setup.items(given, 1000 + 100 * number), setting.steps)

    say(f"first {label}: {setting.timed(partial(draw, BEFORE)):.1f} s")
    equal = {} if name == "bare" else speed_drawing._equal(setting, own, files[:count])
    setting.ready()
    found = _rate(setting, f"ours, {label}", draw, count)
    if count == 1:
        found |= speed_drawing._parts(setting, own, files[0])
    else:
        found["weights for each picture"] = own.captured.mixed(count) > 0
    found["decoder"] = str(own.captured._decoder.dtype)
    setting.report(_row(count), {**equal, **found})


def graphs(setting: Setting) -> None:
    """Rows 1 and 2 of ours without the compiler."""
    for name in ("one", "people"):
        ours(setting, name, compiled=False)


def peer_one(setting: Setting) -> None:
    """Row 1 of diffusers, and its way of drawing for several people."""
    base = setup.load_base(setting)
    eager, fused = setup.pipeline(setting, base), setup.fused(setting, base)
    del base
    setup.put_on(setting, eager, 0)
    draw = partial(_theirs, setting, count=1)
    say(f"first eager: {setting.timed(partial(draw, eager, BEFORE)):.1f} s")
    say(f"first compiled: {setting.timed(partial(draw, fused, BEFORE)):.1f} s")
    setting.ready()
    setting.report(_row(1), _rate(setting, "diffusers, compiled, one adapter fused", partial(draw, fused), 1))
    setting.report(_row(1), _rate(setting, "diffusers, eager", partial(draw, eager), 1))

    def swap(number: int) -> None:
        eager.unload_lora_weights()
        setup.put_on(setting, eager, number % PEOPLE)
        draw(eager, number)

    setting.report(_row(PEOPLE), _rate(setting, "diffusers, swap and draw", swap, 1))


def peer_people(setting: Setting) -> None:
    """Row 2 of diffusers without adapters."""
    base = setup.load_base(setting)
    eager, fast = (setup.pipeline(setting, base) for _ in range(2))
    del base
    setup.compiled(setting, fast, "default")
    draw = partial(_theirs, setting, count=PEOPLE)
    say(f"first compiled: {setting.timed(partial(draw, fast, BEFORE)):.1f} s")
    setting.ready()
    for name, pipe in (("compiled", fast), ("eager", eager)):
        setting.report(
            _row(PEOPLE), _rate(setting, f"diffusers, {name}, no adapters", partial(draw, pipe), PEOPLE)
        )


def _theirs(setting: Setting, pipe: Any, number: int, *, count: int) -> None:
    prompts = [f"zorvex fox {number} {i}, on a plain white background" for i in range(count)]
    setup.drawn_by(setting, pipe, prompts, number)


def _rate(setting: Setting, name: str, call: Callable[[int], Any], count: int) -> dict[str, Any]:
    rounds = setting.rounds if count == 1 else min(setting.rounds, 3)
    seconds = setting.interleaved({name: call}, rounds=rounds, warm=1)[name]
    return {f"{name}, s": seconds, f"{name}, img/s": count / seconds}


def _row(count: int) -> str:
    return "1 one picture" if count == 1 else "2 sixteen people"


# What compiles before it waits for its turn.
PARTS: dict[str, Callable[[Setting], None]] = {
    **{name: partial(ours, name=name, compiled=True) for name in speed_drawing.KINDS},
    "peer-one": peer_one,
    "peer-people": peer_people,
    "training-compiled": speed_training.rates,
}
# What begins with its turn, without the compiler but for ``cold``, whose compiler finds all in the cache.
LATER: dict[str, Callable[[Setting], None]] = {
    "whole-training": speed_training.whole,
    "switching": speed_drawing.switching,
    "graphs": graphs,
    "memory": speed_memory.memory,
    "cold": speed_drawing.cold,
    "training": speed_training.rates,
}
ORDER = (
    *("one", "peer-one", "people", "bare", "peer-people"),
    *("whole-training", "switching", "graphs", "memory", "cold", "training"),
)  # by value; ``training-compiled`` takes long to compile and runs only if it is named
