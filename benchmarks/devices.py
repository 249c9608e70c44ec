"""One GPU and several: how training one style and drawing for many people scale, beside diffusers in the same run.

    python3 -m benchmarks.devices train [--gpus 1 2 4] [--steps 40]
    python3 -m benchmarks.devices draw [--gpus 1 2 4] [--pictures 80] [--people 48] [--styles 16]

The networks have SD 2.1-base's shape and random weights. ``train`` runs ``accelerate launch -m lora train`` with a
global batch of 16 and takes the times of its steps from metrics.jsonl; the peer is the loop of diffusers' reference
script with averaged gradients. Last, one GPU alone trains with a process's part of the batch: what several GPUs lose
beside that, they lose by summing and waiting; the rest is lost because a smaller batch takes longer a picture.

``draw`` runs the engine ``local`` with a worker on each GPU, fed by ``bot.next_job``: ``--pictures`` and ``--people``
for each GPU, ``--styles`` in all. The rate is that of the time in which draws wait; beside it are that from the first
hand-over to the last sticker, and where the time of one picture went. The peer loads each person's adapter into a
pipeline and draws, in one process on each GPU. A row is printed, and kept, as soon as it is measured: one GPU, all, the
peer, the others. ``--tiny`` tries the script, on CPUs; ``draw --simulate discs`` or ``blank`` simulates GPUs
(``simulated_gpu``).
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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmarks import speed_setup as setup
from benchmarks.devices_drawing import Plan, drawn
from benchmarks.sd21_shape import samples
from benchmarks.simulated_gpu import DRAWINGS
from benchmarks.speed_setup import PEOPLE, Setting, say
from lora.cli.run_folder import METRICS
from lora.data import metadata
from lora.data.metadata import MetadataRow
from lora.files import write_whole

GLOBAL_BATCH = 16
WARM_STEPS = 12  # of a training, at most, which do not count: in the first one the graph is recorded
WARM_PICTURES, TINY_WARM_PICTURES = 16, 1  # of each worker, likewise
PEER_STEPS, PEER_PICTURES = 8, 3  # that are timed
PEER = 0  # in place of a number of GPUs: the peer's turn
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


def turns(gpus: Sequence[int]) -> list[int]:
    """In which order is measured, so that a run that is ended early has shown the most: one, all, the peer, others."""
    ends = [gpus[0], *([max(gpus)] if len(gpus) > 1 else [])]
    return [*ends, PEER, *(count for count in gpus if count not in ends)]


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
    rates: dict[int, float] = {}
    for count in turns(gpus):
        if count == PEER:
            _peers(setting, gpus, "peer-train", rows, "reference loop")
            continue
        losses, each = _trained(setting, data, count, steps, GLOBAL_BATCH // count)
        first = first or losses
        apart = max(abs(a - b) / a for a, b in zip(first, losses, strict=True))
        rates[count] = GLOBAL_BATCH / each
        rows.add(
            "ours", count, rates[count], **{"losses apart from the first's by a share of at most": apart}
        )
    for count in (count for count in rates if count > 1):
        share = GLOBAL_BATCH // count
        _, each = _trained(setting, data, 1, steps, share)
        kept = {f"of {count} times that, {count} GPU keep": rates[count] * each / GLOBAL_BATCH}
        rows.add(f"ours, batch {share}", 1, share / each, **kept)


def _peers(setting: Setting, gpus: Sequence[int], what: str, rows: Rows, who: str) -> None:
    """Run the peer once, in as many processes as are asked for at most: it prints its rate for each count."""
    counts = [str(count) for count in turns(gpus) if count != PEER]
    peer = [*processes(setting, max(gpus)), "benchmarks.devices", what, "--gpus", *counts, *flags(setting)]
    for line in lines(peer):
        if line.startswith("{"):
            rows.add(who, **json.loads(line))


def _trained(setting: Setting, data: Path, count: int, steps: int, batch: int) -> tuple[list[float], float]:
    """Losses of all steps of a training in so many processes, ``batch`` pictures in each, and a step's seconds."""
    output = setting.folder / "trained"
    train = [
        *("lora", "train", f"--pretrained_model_name_or_path={setting.base_folder}"),
        *(f"--train_data_dir={data}", f"--cache_dir={setting.folder / 'cache'}", f"--output_dir={output}"),
        *("--overwrite_output_dir", f"--train_batch_size={batch}", "--rank=16"),
        *(f"--max_train_steps={steps}", f"--checkpointing_steps={steps}", "--report_to=none"),
        *(() if setting.tiny else ("--mixed_precision=bf16",)),
    ]
    for line in lines([*processes(setting, count), *train]):
        say(line.rstrip())
    found = [json.loads(line) for line in (output / METRICS).read_text().splitlines()]
    assert len(found) == steps
    warm = min(WARM_STEPS, steps // 2)
    seconds = (found[-1]["seconds"] - found[warm - 1]["seconds"]) / (steps - warm)
    return [one["loss"] for one in found], seconds


def peer_train(setting: Setting, gpus: Sequence[int]) -> None:
    """The reference loop in this process of several; the first prints the pictures a second of each count."""
    from transformers import CLIPTokenizer

    from benchmarks.speed_training import _reference

    rank = _join(setting, max(gpus))
    texts = CLIPTokenizer.from_pretrained(setting.base_folder / "tokenizer")
    together: Any = None
    register_optimizer_step_pre_hook(lambda optimizer, *_: _average(optimizer, together))
    for count in gpus:
        together = torch.distributed.new_group(list(range(count))) if count > 1 else None
        if rank < count:
            reference = _reference(setting, texts, GLOBAL_BATCH // count, setting.dtype)
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


def draw(setting: Setting, gpus: Sequence[int], plan: Plan) -> None:
    """Stickers a second of the engine with a worker on each GPU, and of pipelines that swap adapters."""
    rows = Rows(setting, f"13 {plan.styles} styles on several {'simulated ' if plan.simulated else ''}GPUs")

    async def run() -> None:
        async with drawn(
            setting, max(gpus), plan, lambda count, rate, more: rows.add("ours", count, rate, **more)
        ) as measure:
            for turn in turns(gpus):
                if turn != PEER:
                    await measure(turn)
                elif not plan.simulated:
                    await asyncio.to_thread(
                        _peers, setting, gpus, "peer-draw", rows, "diffusers, swap and draw"
                    )

    asyncio.run(run())


def peer_draw(setting: Setting, gpus: Sequence[int]) -> None:
    """diffusers' way: load a person's adapter, draw a picture, unload it; in this process of several."""
    rank = _join(setting, max(gpus))
    pipe = setup.pipeline(setting)

    def one(number: int) -> None:
        setup.put_on(setting, pipe, number % PEOPLE)
        setup.drawn_by(setting, pipe, [f"zorvex fox number {number}"], number)
        pipe.unload_lora_weights()

    def all_of_them() -> None:
        for number in range(some):
            one(number)

    some = 1 if setting.tiny else PEER_PICTURES
    one(0)
    for count in gpus:
        _meet(max(gpus))
        if rank < count:
            seconds = setting.timed(all_of_them)
            _tell(rank, count, count * some / seconds)


def flags(setting: Setting) -> list[str]:
    """This run's flags, for its peer."""
    return [f"--dir={setting.folder.parent}", *(["--tiny"] if setting.tiny else [])]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.devices")
    parser.add_argument("what", choices=["train", "draw", "peer-train", "peer-draw"])
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pictures", type=int, default=80, help="for each GPU")
    parser.add_argument("--people", type=int, default=48, help="for each GPU")
    parser.add_argument("--styles", type=int, default=PEOPLE, help="in all; a worker has 32 at hand")
    parser.add_argument("--simulate", default="", choices=DRAWINGS, help="draw: no GPU is there")
    parser.add_argument("--dir", type=Path, default=Path("data/speed"))
    parser.add_argument("--results", type=Path, help="a folder for speed.jsonl")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args(argv)
    setting = Setting(folder=args.dir, results=args.results, tiny=args.tiny, rounds=1, compiled=args.compile)
    if args.what == "train":
        train(setting, args.gpus, args.steps)
    elif args.what == "draw":
        plan = Plan(pictures=args.pictures, people=args.people, styles=args.styles, simulated=args.simulate)
        draw(setting, args.gpus, plan)
    else:
        (peer_train if args.what == "peer-train" else peer_draw)(setting, args.gpus)
        if max(args.gpus) > 1:
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
