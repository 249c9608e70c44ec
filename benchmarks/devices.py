"""One GPU and several: how training one style and drawing for many people scale, beside diffusers in the same run.

    python3 -m benchmarks.devices train [--gpus 1 2] [--steps 100]
    python3 -m benchmarks.devices draw [--gpus 1 2] [--pictures 96]

The networks have SD 2.1-base's shape and random weights. ``train`` runs ``accelerate launch -m lora train`` with a
global batch of 16, and the loop of diffusers' reference script with averaged gradients. ``draw`` runs the engine
``local`` with a worker on each GPU, fed by ``bot.next_job``, for sixteen people with an adapter each; the peer loads
each person's adapter into a pipeline and draws, in one process on each GPU. ``--tiny`` tries the script, on CPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmarks import speed_setup as setup
from benchmarks.sd21_shape import samples
from benchmarks.speed_setup import PEOPLE, Setting
from bot.next_job import NextJob
from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from lora.data import metadata
from lora.data.metadata import MetadataRow
from lora.engine import ENGINES, EngineSettings
from lora.files import write_whole
from lora.jobs import Draw, Drawn, DrawOptions, Event, Failed, Finished, Lost, Ready

GLOBAL_BATCH = 16
WARM_PICTURES = 4  # of each worker, which do not count


def processes(setting: Setting, count: int) -> list[str]:
    """What starts a command in so many processes, one on each GPU."""
    if setting.tiny:  # accelerate starts one process on CPUs
        return [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={count}", "-m"]
    several = ["--multi_gpu"] if count > 1 else []
    launch = [sys.executable, "-m", "accelerate.commands.launch", *several, f"--num_processes={count}"]
    return [*launch, "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "-m"]


def ran(command: Sequence[str]) -> str:
    """The output of a command. Its end is shown if it fails."""
    environment = {**os.environ, "ACCELERATE_USE_CPU": "false" if torch.cuda.is_available() else "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def train(setting: Setting, gpus: Sequence[int], steps: int) -> None:
    """Pictures a second of the product and of the reference loop. Start and end are taken out by two lengths."""
    setup.load_base(setting)
    data = setting.folder / "samples"
    rows = []
    for number, sample in enumerate(samples(32)):
        name = f"{number}.png"
        write_whole(data / name, sample.picture)
        rows.append(MetadataRow(file_name=name, caption=sample.caption, columns={"file_name": name}))
    metadata.write(data, rows)
    found: dict[str, float] = {}
    for count in gpus:
        found[f"ours, {count} GPU, img/s"] = _rate(setting, data, count, steps)
        if count == 1:  # several processes train without CUDA graphs, and so does one with micro-batches
            found["ours without graphs, 1 GPU, img/s"] = _rate(setting, data, 1, steps, micro_batches=2)
        printed = ran([*processes(setting, count), "benchmarks.devices", "peer-train", *flags(setting)])
        found[f"reference loop, {count} GPU, img/s"] = json.loads(printed.splitlines()[-1])
    setting.report("12 one style on several GPUs, global batch 16", found | scaling(found, gpus))


def _rate(setting: Setting, data: Path, count: int, steps: int, micro_batches: int = 1) -> float:
    """Pictures a second of the steps alone."""
    short, long = (_trained(setting, data, count, length, micro_batches) for length in (steps, 3 * steps))
    return 2 * steps * GLOBAL_BATCH / (long - short)


def _trained(setting: Setting, data: Path, count: int, steps: int, micro_batches: int) -> float:
    """Seconds of a whole training."""
    began = time.monotonic()
    ran(
        [
            *processes(setting, count),
            *("lora", "train", f"--pretrained_model_name_or_path={setting.base_folder}"),
            *(
                f"--train_data_dir={data}",
                f"--cache_dir={setting.folder / 'cache'}",
                "--overwrite_output_dir",
            ),
            f"--output_dir={setting.folder / 'trained'}",
            f"--train_batch_size={GLOBAL_BATCH // count // micro_batches}",
            f"--gradient_accumulation_steps={micro_batches}",
            *(
                f"--max_train_steps={steps}",
                f"--checkpointing_steps={steps}",
                "--report_to=none",
                "--rank=16",
            ),
            *(() if setting.tiny else ("--mixed_precision=bf16",)),
        ]
    )
    return time.monotonic() - began


def peer_train(setting: Setting) -> None:
    """The reference loop in this process of several; prints the pictures a second of all."""
    from benchmarks.speed_training import _reference

    count, main = _join(setting)
    register_optimizer_step_pre_hook(_average)
    reference = _reference(setting, setup.load_base(setting), GLOBAL_BATCH // count, setting.dtype)
    some = 1 if setting.tiny else 12
    for _ in range(some):
        next(reference)
    each = setting.timed(lambda: [next(reference) for _ in range(some)]) / some
    if main:
        print(json.dumps(GLOBAL_BATCH / each))


def _join(setting: Setting) -> tuple[int, bool]:
    """Join the other processes; gives their number, and whether this is the first."""
    rank, count = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if setting.device.type == "cuda":
        setting.device = torch.device(f"cuda:{rank}")
        torch.cuda.set_device(rank)
    if count > 1:
        torch.distributed.init_process_group("nccl" if setting.device.type == "cuda" else "gloo")
    return count, rank == 0


def _average(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Average the gradients over the processes, as DistributedDataParallel does."""
    if not torch.distributed.is_initialized():
        return
    for group in optimizer.param_groups:
        flat = torch.cat([weight.grad.flatten() for weight in group["params"]])
        torch.distributed.all_reduce(flat)
        flat /= torch.distributed.get_world_size()
        for weight, mean in zip(
            group["params"], flat.split([w.numel() for w in group["params"]]), strict=True
        ):
            weight.grad.copy_(mean.view_as(weight))


def draw(setting: Setting, gpus: Sequence[int], pictures: int) -> None:
    """Stickers a second of the engine with a worker on each GPU, and of pipelines that swap adapters."""
    setup.load_base(setting)
    found: dict[str, float] = {}
    for count in gpus:
        devices = ("cpu",) * count if setting.tiny else tuple(f"cuda:{number}" for number in range(count))
        found[f"ours, {count} GPU, img/s"] = asyncio.run(_drawn(setting, devices, pictures))
        printed = ran([*processes(setting, count), "benchmarks.devices", "peer-draw", *flags(setting)])
        found[f"diffusers, swap and draw, {count} GPU, img/s"] = json.loads(printed.splitlines()[-1])
    setting.report("13 sixteen people on several GPUs", found | scaling(found, gpus))


async def _drawn(setting: Setting, devices: tuple[str, ...], pictures: int) -> float:
    """Pictures a second, from the first hand-over to the last sticker, when all workers are warm."""
    settings = EngineSettings(
        base=str(setting.base_folder),
        cache_dir=setting.folder / "cache",
        devices=devices,
        threads=1 if setting.tiny else 0,
        compile=setting.compiled,
    )
    engine, files = ENGINES["local"](settings), setup.adapters(setting)
    await engine.start()
    next_job, events, left, began = NextJob(attempts=3), engine.events(), 0, 0.0

    def ask(count: int, first: int) -> int:
        for id in range(first, first + count):
            row = InLine(id, id % PEOPLE, JobKind.DRAW, False, False, 0, setting.steps, str(id % PEOPLE))
            next_job.wait(row)
        return count

    async def feed() -> None:
        while (placed := next_job.choose()) is not None:
            id, adapter = placed.job.id, files[placed.job.person]
            options = DrawOptions(steps=setting.steps, seed=id)
            job = Draw(id=id, attempt=1, prompt=f"zorvex fox number {id}", adapter=adapter, options=options)
            await engine.submit(job, placed.worker.id)
            placed.worker.receiving = False

    try:
        ready = 0
        async for event in events:
            if isinstance(event, Ready):
                next_job.join(event.worker)
                ready += 1
                if ready == len(devices):
                    left = ask(WARM_PICTURES * ready * 4, 1)
            elif isinstance(event, Finished) or _empty(event):
                next_job.end(event.job)
                left -= 1
                if not left and began:
                    return pictures / (time.monotonic() - began)
                if not left:
                    began, left = time.monotonic(), ask(pictures, 10_000)
            elif isinstance(event, Lost | Failed):
                raise SystemExit(f"a worker failed: {event}")
            elif isinstance(event, Drawn):
                continue
            if ready == len(devices):
                await feed()
    finally:
        await engine.close()
    raise AssertionError("the events have no end")


def _empty(event: Event) -> TypeGuard[Failed]:
    """A picture was drawn, but random weights drew the background only."""
    return isinstance(event, Failed) and event.code == "empty-cutout"


def peer_draw(setting: Setting) -> None:
    """diffusers' way: load a person's adapter, draw a picture, unload it; in this process of several."""
    count, main = _join(setting)
    pipe = setup.pipeline(setting, setup.load_base(setting))

    def one(number: int) -> None:
        setup.put_on(setting, pipe, number % PEOPLE)
        setup.drawn_by(setting, pipe, [f"zorvex fox number {number}"], number)
        pipe.unload_lora_weights()

    one(0)
    if count > 1:
        torch.distributed.barrier()
    some = 1 if setting.tiny else 8
    each = setting.timed(lambda: [one(number) for number in range(some)]) / some
    if main:
        print(json.dumps(count / each))


def scaling(found: dict[str, float], gpus: Sequence[int]) -> dict[str, float]:
    """{name: how many times the rate of the first count}."""
    return {
        f"ours, {count} GPU, times {gpus[0]}": found[f"ours, {count} GPU, img/s"]
        / found[f"ours, {gpus[0]} GPU, img/s"]
        for count in gpus[1:]
    }


def flags(setting: Setting) -> list[str]:
    """This run's flags, for its peer."""
    return [f"--dir={setting.folder.parent}", *(["--tiny"] if setting.tiny else [])]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.devices")
    parser.add_argument("what", choices=["train", "draw", "peer-train", "peer-draw"])
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=96)
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
    elif args.what == "peer-train":
        peer_train(setting)
    else:
        peer_draw(setting)


if __name__ == "__main__":
    main()
