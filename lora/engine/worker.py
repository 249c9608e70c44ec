"""A worker: the process that owns one device and runs all jobs on it.

    python -m lora.engine.worker --base NAME --cache-dir DIR

The base stays loaded. Draws go first: between two steps of a training all waiting pictures are drawn. Jobs and Cancels
come in on stdin, events go out on stdout (``lora.engine.wire``), the log goes to stderr. The process ends as soon as
stdin is closed, also in the middle of a step: then the bot, which would read the events, is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

import cv2
import torch

from lora.adapters import lora_layers
from lora.drawing import half_denoiser, mixed_batches
from lora.drawing.cutout_names import BUNDLED
from lora.drawing.sticker import StickerMaker
from lora.engine import wire
from lora.engine.cutout_queue import CutOutPicture, CutOutQueue
from lora.engine.draw_queue import DrawQueue, Made, MakeSticker, draws_at_once, has_gpu
from lora.engine.heartbeat import HeartbeatThread
from lora.engine.train_queue import TrainQueue
from lora.errors import BaseError
from lora.jobs import CannotWork, CutOut, Draw, Event, Ready, Train
from lora.models import base_model
from lora.models.base_model import Base
from lora.models.device import every_device
from lora.safety import NONE, Guard
from lora.training.shared_step import most_at_once

log = logging.getLogger(__name__)

USUAL_SAMPLES = 30  # the defaults in Ready are those for this many samples, where they depend on that number

Message = Train | Draw | CutOut | wire.Cancel


class Mark(Protocol):
    """Called whenever the main loop goes on; ``idle`` if it waits for a job."""

    def __call__(self, *, idle: bool) -> None: ...


def _ignore(*, idle: bool) -> None:
    pass


class Worker:
    """The main loop. Messages come from ``inbox``, events go to ``send_event``.

    Between any two pieces of work ``_read_inbox`` is called, which calls ``mark``.
    """

    def __init__(
        self,
        base: Base,
        inbox: queue.SimpleQueue[Message],
        send_event: Callable[[Event], None],
        make_sticker: MakeSticker,
        cut_out: CutOutPicture,
        mark: Mark = _ignore,
        guard: Guard | None = None,
    ) -> None:
        self._inbox = inbox
        self._mark = mark
        put = (lambda made: inbox.put(made)) if has_gpu(base) else None
        self._draws = DrawQueue(base, send_event, make_sticker, put=put)
        self._cut_outs = CutOutQueue(send_event, cut_out)
        self._trainings = TrainQueue(base, send_event, guard)

    def run(self) -> NoReturn:
        """Work for ever: draw one batch, cut one picture out, then let the training go one step further."""
        while True:
            self._read_inbox(wait=not (self._draws or self._cut_outs or self._trainings))
            if self._draws:
                self._draws.draw_batch(between_steps=self._read_inbox)
            if self._cut_outs:
                self._cut_outs.step()
            if self._trainings:
                self._trainings.step()

    def close(self) -> None:
        """End the running training and take its LoRA layers off the denoiser."""
        self._trainings.stop()

    def _read_inbox(self, *, wait: bool = False) -> None:
        """Take all messages that have come; with ``wait``, at least one."""
        while wait or not self._inbox.empty():
            self._mark(idle=self._inbox.empty() and not self._draws.making)
            self._take(self._inbox.get())
            wait = False
        self._mark(idle=False)

    def _take(self, message: Message) -> None:
        match message:
            case wire.Cancel():
                self._draws.cancel(message.job)
                self._cut_outs.cancel(message.job)
                self._trainings.cancel(message.job)
            case Made():
                self._draws.take(message)
            case Train():
                self._trainings.add(message)
            case Draw():
                self._draws.add(message)
            case CutOut():
                self._cut_outs.add(message)


def main() -> None:
    """Set the process up and work until stdin is closed."""
    args = _parser().parse_args()
    lower_priority(args.nice)
    logging.basicConfig(level=logging.INFO, format="worker: %(message)s", stream=sys.stderr)
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the bot too, which then closes stdin
    events, writing = _private_stdout(), threading.Lock()
    for pipe in (sys.stdin, events):
        wire.widen(pipe.fileno())

    def send(message: Event | wire.Heartbeat | wire.Devices) -> None:
        frame = wire.pack(message)
        with writing:
            events.write(frame)
            events.flush()

    heartbeat = HeartbeatThread(send)
    heartbeat.start()
    send(wire.Devices(names=every_device()))
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    setup = Setup(
        base=args.base,
        cache_dir=args.cache_dir,
        device=args.device,
        threads=args.threads,
        compile=args.compile,
        cutout=args.cutout,
        filter=args.filter,
        threshold=args.threshold,
    )
    try:
        work(setup, inbox, send, heartbeat.mark)
    except BaseError as error:
        send(CannotWork(worker="", code="base", detail=str(error)))
        os._exit(3)  # an orderly end aborts while the other thread reads stdin


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a worker needs to begin. ``node`` is the machine's address, shown with the device; "" = this one."""

    base: str
    cache_dir: Path
    device: str
    threads: int  # 0: see ``threads_of``
    compile: bool
    cutout: str = BUNDLED  # a name of lora.drawing.cutout
    filter: str = NONE  # a name of lora.safety
    threshold: float = 1.0
    node: str = ""


def work(
    setup: Setup, inbox: queue.SimpleQueue[Message], send: Callable[[Event], None], mark: Mark
) -> NoReturn:
    """Load the base, send Ready and run jobs for ever. Raises BaseError if the base cannot be loaded."""
    threads = threads_of(setup)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    os.environ.setdefault(
        "OMP_NUM_THREADS", str(threads)
    )  # rembg reads it: else its network takes every core
    guard = Guard(setup.filter, threshold=setup.threshold, threads=threads)
    maker = StickerMaker(setup.cache_dir, setup.cutout, guard)
    base = base_model.load(setup.base, setup.cache_dir, setup.device)
    half_denoiser.use_bfloat16(base)
    if setup.compile:
        base.compiled = True
        mixed_batches.compile_drawing(base)
    send(
        Ready(
            worker="",  # the engine knows its name
            base=base.name,
            base_hash=base.hash,
            device=f"{base.device} on {setup.node}" if setup.node else str(base.device),
            defaults=base.profile.defaults(USUAL_SAMPLES),
            example_prompt=base.profile.example_prompt,
            layers=lora_layers.shapes(base),
            trainings=most_at_once(base.device),
            draws=draws_at_once(base),
        )
    )
    Worker(base, inbox, send, maker, maker.cut_out, mark, guard).run()


def threads_of(setup: Setup) -> int:
    """CPU threads of a worker: as many as are set, or else the share of its device in those that torch takes."""
    devices = 1 if setup.device == "cpu" else len(every_device())
    return setup.threads or max(1, torch.get_num_threads() // devices)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lora.engine.worker")
    parser.add_argument("--base", required=True)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--cutout", default=BUNDLED)
    parser.add_argument("--filter", default=NONE)
    parser.add_argument("--threshold", type=float, default=1.0)
    parser.add_argument("--compile", action="store_true", help="on a GPU: compile before Ready")
    return parser


def _listen(stream: BinaryIO, inbox: queue.SimpleQueue[Message]) -> None:
    """Put messages into the inbox until stdin is closed, then end the process at once."""
    try:
        while (message := wire.read(stream)) is not None:
            inbox.put(message)
    except Exception as error:
        log.error("stdin: %s", type(error).__name__)
        os._exit(1)
    os._exit(0)


def _private_stdout() -> BinaryIO:
    """The pipe for events. From now on ``print`` goes to stderr, so a library cannot write between two frames."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


def lower_priority(nice: int) -> None:
    """Let other processes, above all the bot, have the processor first.

    On Linux the priority belongs to a thread, and libraries have started some when they were imported.
    """
    threads = [int(path.name) for path in Path("/proc/self/task").glob("*")]
    for thread in threads or [0]:
        with contextlib.suppress(OSError):  # the thread has ended, or this process is as low already
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def _die_with_parent() -> None:
    """On Linux, let the kernel kill this process when the bot dies.

    Closing stdin is not enough if another process has inherited the bot's end of the pipe.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # the bot was killed while this process loaded its libraries
        os._exit(1)
