"""A process that is stuck is found, one that is slow is waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests import waiting
from tests.waiting import Patience, Stuck, cpu_seconds, output_of, result_of, run, until, until_async

BUSY = "import time\nwhile time.process_time() < {seconds}: pass\nprint('done')"
SLEEPING = "import time\nprint('asleep', flush=True)\ntime.sleep(3600)"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, patience: Patience, seconds: int) -> None:
        """Look once a second."""
        for _ in range(seconds):
            self.now += 1.0
            patience.check()


@contextmanager
def started(program: str, nice: int = 0) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os; os.nice({nice})\n{program}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_patience_ends_when_nothing_changes() -> None:
    """At the second that was given, with the last output in the message."""
    clock = Clock()
    patience = Patience(lambda: 1, seconds=10, said=lambda: "step 7", clock=clock)
    clock.pass_seconds(patience, 9)
    with pytest.raises(Stuck, match=r"no progress for 10 s.*step 7"):
        clock.pass_seconds(patience, 1)


def test_any_sign_renews_patience() -> None:
    """Ten times as long as the patience, with one change in every patience; then it ends as before."""
    clock, rows = Clock(), 0
    patience = Patience(lambda: 1, lambda: rows, seconds=10, clock=clock)
    for _ in range(11):
        clock.pass_seconds(patience, 9)
        rows += 1
    clock.pass_seconds(patience, 10)
    with pytest.raises(Stuck):
        clock.pass_seconds(patience, 1)


def test_progress_without_an_end_has_a_limit() -> None:
    """The last resort for a process that computes for ever."""
    clock = Clock()
    patience = Patience(clock, seconds=10, clock=clock)
    clock.pass_seconds(patience, int(waiting.LIMIT_SECONDS) - 1)
    with pytest.raises(Stuck, match="no end after"):
        clock.pass_seconds(patience, 1)


def test_a_late_look_counts_as_two_seconds() -> None:
    """A gap of an hour between two looks counts as two seconds without progress at most."""
    clock = Clock()
    patience = Patience(lambda: 1, seconds=10, clock=clock)
    clock.pass_seconds(patience, 5)
    clock.now += 1000
    patience.check()
    clock.pass_seconds(patience, 2)
    with pytest.raises(Stuck):
        clock.pass_seconds(patience, 1)


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that know that nothing will happen."""
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.1)


@pytest.mark.usefixtures("quick_looks")
def test_a_stopped_process_is_stuck() -> None:
    """A process that is stopped by SIGSTOP makes no progress, and is killed."""
    with started(BUSY.format(seconds=3600)) as process:
        used = cpu_seconds(process.pid, whole=0.1)
        until(lambda: used() > 0)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Stuck):
            output_of(process, seconds=0.5)
        assert process.returncode == -signal.SIGKILL


def test_a_sleeping_process_is_stuck_and_its_last_output_is_in_the_error() -> None:
    with started(SLEEPING) as process, pytest.raises(Stuck, match="asleep"):
        output_of(process, seconds=3)


def test_a_slow_process_is_waited_for() -> None:
    """At the lowest priority, and stopped again and again for shorter than the patience."""
    with started(BUSY.format(seconds=0.3), nice=19) as process:
        patience = Patience(cpu_seconds(process.pid, whole=0.01), seconds=waiting.QUIET_SECONDS)
        while process.poll() is None:
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(0.2)
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.1)
            patience.check()
        assert process.stdout is not None
        assert process.stdout.read() == "done\n"


def test_the_work_of_children_counts() -> None:
    """Their CPU time is found from the process that started them, as a worker's from the bot's."""
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY.format(seconds=3600)!r}])"
    with started(parent) as process:
        used = cpu_seconds(process.pid, whole=0.1)
        until(lambda: psutil.Process(process.pid).children())
        (child,) = psutil.Process(process.pid).children()
        try:
            until(lambda: used() > 0)
            assert sum(child.cpu_times()[:2]) > 0
        finally:
            waiting.kill(process.pid)
        assert child.wait(10) is None or not child.is_running()


def test_output_and_exit_code_come_back() -> None:
    """All of both streams, however long."""
    done = run(
        [sys.executable, "-c", "import sys\nprint('o' * 300_000)\nprint('e', file=sys.stderr)\nsys.exit(3)"]
    )
    assert (done.returncode, len(done.stdout), done.stderr) == (3, 300_001, "e\n")


@pytest.mark.usefixtures("quick_looks")
async def test_a_task_is_waited_for_and_cancelled_when_it_is_stuck() -> None:
    async def answer() -> int:
        await asyncio.sleep(0.1)
        return 7

    assert await result_of(answer()) == 7
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(Stuck):
        await result_of(never, Patience(lambda: 1, seconds=0.5))
    assert never.cancelled()


@pytest.mark.usefixtures("quick_looks")
async def test_the_event_loop_goes_on_while_something_is_waited_for() -> None:
    happened = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, happened.set)
    await until_async(happened.is_set)
    with pytest.raises(Stuck):
        await until_async(lambda: False, Patience(lambda: 1, seconds=0.5))
