"""One GPU and several: how training one style and drawing for many people scale, beside diffusers in the same run.

    python3 -m benchmarks.devices train [--gpus 1 2 4] [--steps 72]
    python3 -m benchmarks.devices draw [--gpus 1 2 4] [--pictures 24]

The networks have SD 2.1-base's shape and random weights. ``train`` runs ``accelerate launch -m lora train`` with a
global batch of 16 and takes the times of its steps from metrics.jsonl; the peer is the loop of diffusers' reference
script with averaged gradients. ``draw`` runs the engine ``local`` with a worker on each GPU, fed by ``bot.next_job``,
for sixteen people with an adapter each, ``--pictures`` for each GPU; the peer loads each person's adapter into a
pipeline and draws, in one process on each GPU. A row is printed, and kept, as soon as it is measured. ``--tiny`` tries
the script, on CPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmarks import speed_setup as setup
from benchmarks.sd21_shape import samples
from benchmarks.speed_setup import PEOPLE, Setting, say
from bot.next_job import NextJob, Placed
from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from lora.cli.run_folder import METRICS
from lora.data import metadata
from lora.data.metadata import MetadataRow
from lora.engine import ENGINES, Engine, EngineSettings
from lora.files import write_whole
from lora.jobs import Draw, DrawOptions, Event, Failed, Finished, Lost, Ready

GLOBAL_BATCH = 16
WARM_STEPS = 12  # of a training, at most, which do not count: in the first one the graph is recorded
WARM_PICTURES, TINY_WARM_PICTURES = 16, 1  # of each worker, likewise
PEER_STEPS, PEER_PICTURES = 8, 4  # that are timed
GPU_SECONDS, CPU_SECONDS = 180.0, 3600.0  # that a command may take: if it hangs, time on GPUs is dear


def processes(setting: Setting, count: int) -> list[str]:
    """What starts a command in so many processes, one on each GPU."""
    if setting.tiny:  # accelerate starts one process on CPUs
        return [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={count}", "-m"]
    several = ["--multi_gpu"] if count > 1 else []
    launch = [sys.executable, "-m", "accelerate.commands.launch", *several, f"--num_processes={count}"]
    return [*launch, "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "-m"]


def lines(command: Sequence[str]) -> Iterator[str]:
    """The lines that a command prints, at once. Its end is shown if it fails, also if it does not end."""
    environment = {**os.environ, "ACCELERATE_USE_CPU": "false" if torch.cuda.is_available() else "true"}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        ) as running,
    ):
        limit = GPU_SECONDS if torch.cuda.is_available() else CPU_SECONDS
        over = threading.Timer(limit, _end, (running,))
        over.start()
        try:
            assert running.stdout is not None
            yield from running.stdout
            if running.wait():
                errors.seek(0)
                raise SystemExit(f"{' '.join(command)}\n{errors.read()[-6000:]}")
        finally:
            over.cancel()
            _end(running)


def _end(running: subprocess.Popen[str]) -> None:
    """End a command with all processes that it has started."""
    if running.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


@dataclass
class Rows:
    """Rates by the number of GPUs; each is reported at once, with how many times the first one it is."""

    setting: Setting
    row: str
    first: dict[str, float] = field(default_factory=dict)  # by who it is

    def add(self, who: str, gpus: int, rate: float, **more: float) -> None:
        found = {f"{who}, {gpus} GPU, img/s": rate, **more}
        if who in self.first:
            found[f"{who}, {gpus} GPU, times the first"] = rate / self.first[who]
        self.first.setdefault(who, rate)
        self.setting.report(self.row, found)
        say("measured")


def train(setting: Setting, gpus: Sequence[int], steps: int) -> None:
    """Pictures a second of the steps of the product, and of the reference loop."""
    setup.make(setting)
    data = setting.folder / "samples"
    named = []
    for number, sample in enumerate(samples(32)):
        name = f"{number}.png"
        write_whole(data / name, sample.picture)
        named.append(MetadataRow(file_name=name, caption=sample.caption, columns={"file_name": name}))
    metadata.write(data, named)
    rows = Rows(setting, "12 one style on several GPUs, global batch 16")
    first: list[float] = []
    warm = min(WARM_STEPS, steps // 2)
    for count in gpus:
        losses, seconds = _trained(setting, data, count, steps)
        first = first or losses
        apart = max(abs(a - b) / a for a, b in zip(first, losses, strict=True))
        rate = (steps - warm) * GLOBAL_BATCH / (seconds[-1] - seconds[warm - 1])
        rows.add("ours", count, rate, **{"losses apart from the first's by a share of at most": apart})
    _peers(setting, gpus, "peer-train", rows, "reference loop")


def _peers(setting: Setting, gpus: Sequence[int], what: str, rows: Rows, who: str) -> None:
    """Run the peer once, in as many processes as are asked for at most: it prints its rate for each count."""
    counts = [str(count) for count in gpus]
    peer = [*processes(setting, max(gpus)), "benchmarks.devices", what, "--gpus", *counts, *flags(setting)]
    for line in lines(peer):
        if line.startswith("{"):
            rows.add(who, **json.loads(line))


def _trained(setting: Setting, data: Path, count: int, steps: int) -> tuple[list[float], list[float]]:
    """Losses of all steps of a training, and the seconds at which they were known."""
    output = setting.folder / "trained"
    train = [
        *("lora", "train", f"--pretrained_model_name_or_path={setting.base_folder}"),
        *(f"--train_data_dir={data}", f"--cache_dir={setting.folder / 'cache'}", f"--output_dir={output}"),
        *("--overwrite_output_dir", f"--train_batch_size={GLOBAL_BATCH // count}", "--rank=16"),
        *(f"--max_train_steps={steps}", f"--checkpointing_steps={steps}", "--report_to=none"),
        *(() if setting.tiny else ("--mixed_precision=bf16",)),
    ]
    for line in lines([*processes(setting, count), *train]):
        say(line.rstrip())
    found = [json.loads(line) for line in (output / METRICS).read_text().splitlines()]
    assert len(found) == steps
    return [one["loss"] for one in found], [one["seconds"] for one in found]


def peer_train(setting: Setting, gpus: Sequence[int]) -> None:
    """The reference loop in this process of several; the first prints the pictures a second of each count."""
    from benchmarks.speed_training import _reference

    rank = _join(setting, max(gpus))
    base = setup.load(setting)
    together: Any = None
    register_optimizer_step_pre_hook(lambda optimizer, *_: _average(optimizer, together))
    for count in gpus:
        together = torch.distributed.new_group(list(range(count))) if count > 1 else None
        if rank < count:
            reference = _reference(setting, base, GLOBAL_BATCH // count, setting.dtype)
            for _ in range(1 if setting.tiny else 4):
                next(reference)
            some = 1 if setting.tiny else PEER_STEPS
            seconds = setting.timed(lambda one=reference, some=some: [next(one) for _ in range(some)])  # type: ignore[misc]
            _tell(rank, count, some * GLOBAL_BATCH / seconds)
        _meet(max(gpus))


def _tell(rank: int, gpus: int, rate: float) -> None:
    if rank == 0:
        print(json.dumps({"gpus": gpus, "rate": rate}), flush=True)


def _join(setting: Setting, count: int) -> int:
    """Join the other processes; gives this one's rank."""
    rank = int(os.environ.get("LOCAL_RANK", 0))
    if setting.device.type == "cuda":
        setting.device = torch.device(f"cuda:{rank}")
        torch.cuda.set_device(rank)
    if count > 1:
        torch.distributed.init_process_group("nccl" if setting.device.type == "cuda" else "gloo")
    return rank


def _meet(count: int) -> None:
    """Wait for all processes."""
    if count > 1:
        torch.distributed.barrier()


def _average(optimizer: torch.optim.Optimizer, together: Any) -> None:
    """Average the gradients over the processes, as DistributedDataParallel does."""
    if together is None:
        return
    for group in optimizer.param_groups:
        flat = torch.cat([weight.grad.flatten() for weight in group["params"]])
        torch.distributed.all_reduce(flat, group=together)
        flat /= torch.distributed.get_world_size(together)
        for weight, mean in zip(
            group["params"], flat.split([w.numel() for w in group["params"]]), strict=True
        ):
            weight.grad.copy_(mean.view_as(weight))


def draw(setting: Setting, gpus: Sequence[int], pictures: int) -> None:
    """Stickers a second of the engine with a worker on each GPU, and of pipelines that swap adapters."""
    setup.load_base(setting)
    rows = Rows(setting, "13 sixteen people on several GPUs")
    asyncio.run(_drawn(setting, gpus, pictures, rows))
    _peers(setting, gpus, "peer-draw", rows, "diffusers, swap and draw")


async def _drawn(setting: Setting, gpus: Sequence[int], pictures: int, rows: Rows) -> None:
    """One engine with all workers, of which each count uses the first ones."""
    most = max(gpus)
    engine = ENGINES["local"](
        EngineSettings(
            base=str(setting.base_folder),
            cache_dir=setting.folder / "cache",
            devices=("cpu",) * most if setting.tiny else tuple(f"cuda:{number}" for number in range(most)),
            threads=1 if setting.tiny else 0,
            compile=setting.compiled,
        )
    )
    await engine.start()
    try:
        events, ready = engine.events(), []
        while len(ready) < most:
            event = await anext(events)
            if isinstance(event, Ready):
                ready.append((event.worker, event.draws))
        ready.sort()
        say("the workers are ready")
        drawing = Drawing(setting, engine, events)
        await drawing.seconds(ready, TINY_WARM_PICTURES if setting.tiny else WARM_PICTURES)
        say("the workers are warm")
        for count in gpus:
            seconds = await drawing.seconds(ready[:count], pictures)
            rows.add("ours", count, pictures * count / seconds)
    finally:
        await engine.close()


class Drawing:
    """Pictures of sixteen people in turn, handed to workers as the bot does."""

    def __init__(self, setting: Setting, engine: Engine, events: AsyncIterator[Event]) -> None:
        self._setting, self._engine, self._events = setting, engine, events
        self._files = setup.adapters(setting)
        self._ids = 0

    async def seconds(self, workers: Sequence[tuple[str, int]], each: int) -> float:
        """From the first hand-over to the last sticker of ``each`` pictures for each (worker, its draws at once)."""
        next_job = NextJob(attempts=3)
        for worker, draws in workers:
            next_job.join(worker, draws=draws)
        left = each * len(workers)
        for id in range(self._ids, self._ids + left):
            steps = self._setting.steps
            next_job.wait(InLine(id, id % PEOPLE, JobKind.DRAW, False, False, 0, steps, str(id % PEOPLE)))
        self._ids += left
        began = time.monotonic()
        async with asyncio.TaskGroup() as hand_overs:
            self._feed(next_job, hand_overs)
            while left:
                event = await anext(self._events)
                if isinstance(event, Finished) or (
                    isinstance(event, Failed) and event.code == "empty-cutout"
                ):
                    next_job.end(event.job)  # random weights may draw the background only
                    left -= 1
                    self._feed(next_job, hand_overs)
                elif isinstance(event, Lost | Failed):
                    raise SystemExit(f"a worker failed: {event}")
        return time.monotonic() - began

    def _feed(self, next_job: NextJob, hand_overs: asyncio.TaskGroup) -> None:
        while (placed := next_job.choose()) is not None:
            hand_overs.create_task(self._hand_over(placed, next_job, hand_overs))

    async def _hand_over(self, placed: Placed, next_job: NextJob, hand_overs: asyncio.TaskGroup) -> None:
        """A job that is on its way to one worker keeps no other waiting, as in ``bot.dispatch``."""
        id, adapter = placed.job.id, self._files[placed.job.person]
        options = DrawOptions(steps=self._setting.steps, seed=id)
        job = Draw(id=id, attempt=1, prompt=f"zorvex fox number {id}", adapter=adapter, options=options)
        await self._engine.submit(job, placed.worker.id)
        placed.worker.receiving = False
        self._feed(next_job, hand_overs)


def peer_draw(setting: Setting, gpus: Sequence[int]) -> None:
    """diffusers' way: load a person's adapter, draw a picture, unload it; in this process of several."""
    rank = _join(setting, max(gpus))
    pipe = setup.pipeline(setting, setup.load(setting))

    def one(number: int) -> None:
        setup.put_on(setting, pipe, number % PEOPLE)
        setup.drawn_by(setting, pipe, [f"zorvex fox number {number}"], number)
        pipe.unload_lora_weights()

    some = 1 if setting.tiny else PEER_PICTURES
    one(0)
    for count in gpus:
        _meet(max(gpus))
        if rank < count:
            seconds = setting.timed(lambda: [one(number) for number in range(some)])
            _tell(rank, count, count * some / seconds)


def flags(setting: Setting) -> list[str]:
    """This run's flags, for its peer."""
    return [f"--dir={setting.folder.parent}", *(["--tiny"] if setting.tiny else [])]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.devices")
    parser.add_argument("what", choices=["train", "draw", "peer-train", "peer-draw"])
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=72)
    parser.add_argument("--pictures", type=int, default=24, help="for each GPU")
    parser.add_argument("--dir", type=Path, default=Path("data/speed"))
    parser.add_argument("--results", type=Path, help="a folder for speed.jsonl")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args(argv)
    setting = Setting(folder=args.dir, results=args.results, tiny=args.tiny, rounds=1, compiled=args.compile)
    if args.what == "train":
        train(setting, args.gpus, args.steps)
    elif args.what == "draw":
        draw(setting, args.gpus, args.pictures)
    else:
        (peer_train if args.what == "peer-train" else peer_draw)(setting, args.gpus)
        if max(args.gpus) > 1:
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
