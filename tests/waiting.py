"""Waiting that is bounded by progress: as long as the watched processes do something, the test waits.

A time limit alone fails on a busy machine, where the same work takes ten times as long. Here a wait fails when
nothing has changed for ``QUIET_SECONDS``: no CPU time was used, no sign of progress (an event, a line of output, a
row) came. A process that computes for ever without an end is found by ``LIMIT_SECONDS``.

CPU time is counted in whole seconds, because idle processes use some too: a bot in the test's process that waits
for messages and the looks at the signs together use 0.25 s in a minute.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

QUIET_SECONDS = 60.0  # without any sign of progress
LIMIT_SECONDS = 1800.0  # in all; the last resort
LOOK_SECONDS = 1.0  # between two looks at the signs, which cost some milliseconds each
PAUSE_SECONDS = 0.02  # between two looks at what is waited for

Sign = Callable[[], object]  # its value changes whenever there is progress
T = TypeVar("T")


class Stuck(AssertionError):
    """Nothing has happened for too long. The message has the last output."""


def cpu_seconds(pid: int | None = None, whole: float = 1.0) -> Callable[[], int]:
    """CPU time of a process and all its descendants, in units of ``whole`` seconds; of this process by default.

    The first look gives -1: to find all descendants takes some milliseconds, and most waits end before a second look.
    """
    looked = False

    def look() -> int:
        nonlocal looked
        if not looked:
            looked = True
            return -1
        return int(_cpu_seconds(os.getpid() if pid is None else pid) / whole)

    return look


def _cpu_seconds(pid: int) -> float:
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += sum(one.cpu_times()[:4])  # user, system, and both of its children that have ended
    return total


class Patience:
    """Ends when none of the ``signs`` has changed for ``seconds``. ``said`` gives the text for the error."""

    def __init__(
        self,
        *signs: Sign,
        seconds: float = QUIET_SECONDS,
        said: Callable[[], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signs = signs or (cpu_seconds(),)
        self._seconds = seconds
        self._said = said
        self._clock = clock
        self._began = self._looked = clock()
        self._seen = [sign() for sign in self._signs]
        self._quiet = 0.0

    def check(self) -> None:
        """Look at the signs, at most once in LOOK_SECONDS. Raises Stuck when patience has ended."""
        passed = self._clock() - self._looked
        if passed < LOOK_SECONDS:
            return
        self._looked += passed
        seen = [sign() for sign in self._signs]
        # A look that comes late says that this process got no core: it counts as two looks at most.
        self._quiet = self._quiet + min(passed, 2 * LOOK_SECONDS) if seen == self._seen else 0.0
        self._seen = seen
        if self._quiet >= self._seconds:
            raise Stuck(f"no progress for {self._quiet:.0f} s; signs: {seen}; last output: {self._said()!r}")
        if self._looked - self._began >= LIMIT_SECONDS:
            raise Stuck(f"no end after {LIMIT_SECONDS:.0f} s; signs: {seen}; last output: {self._said()!r}")


def until(happened: Callable[[], object], patience: Patience | None = None) -> None:
    """Look often until ``happened`` gives a true value. Raises Stuck."""
    patience = patience or Patience()
    while not happened():
        patience.check()
        time.sleep(PAUSE_SECONDS)


async def until_async(happened: Callable[[], object], patience: Patience | None = None) -> None:
    """``until`` for a test whose event loop has to go on. ``happened`` may be a coroutine function."""
    patience = patience or Patience()
    while not await _value(happened()):
        patience.check()
        await asyncio.sleep(PAUSE_SECONDS)


async def _value(found: object) -> object:
    return await found if inspect.isawaitable(found) else found


@contextmanager
def when_stuck(end: Callable[[], object], patience: Patience | None = None) -> Iterator[None]:
    """For a block that blocks its thread: another thread calls ``end`` when patience ends."""
    patience, over = patience or Patience(), threading.Event()

    def watch() -> None:
        try:
            while not over.wait(LOOK_SECONDS):
                patience.check()
        except Stuck:
            end()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


async def result_of(work: Awaitable[T], patience: Patience | None = None) -> T:
    """What ``work`` gives; it is cancelled when patience ends. Raises Stuck."""
    patience = patience or Patience()
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            patience.check()
        return task.result()
    finally:
        task.cancel()


def output_of(process: subprocess.Popen[str], seconds: float = QUIET_SECONDS) -> tuple[str, str]:
    """Stdout and stderr of a process until its end. If it is stuck, it is killed. Raises Stuck."""
    said = ""
    patience = Patience(
        cpu_seconds(process.pid), lambda: len(said), seconds=seconds, said=lambda: said[-2000:]
    )
    try:
        while True:
            try:
                return process.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired as still:
                said = "".join(_text(part) for part in (still.stdout, still.stderr))
            patience.check()
    except BaseException:
        kill(process.pid)
        process.wait()
        raise


def _text(part: bytes | str | None) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else part or ""


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` with captured text and patience in place of a timeout. Raises Stuck."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **(pipes | options))
    stdout, stderr = output_of(process)
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def kill(pid: int) -> None:
    """SIGKILL for a process and all its descendants."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
