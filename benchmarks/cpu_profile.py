"""Measures what a training step at batch 4 of the bundled base is made of, on one core of a CPU.

    python -m benchmarks.cpu_profile

Prints processor time, page faults, the multiplications of a step beside the rate of one large product, which is the
least time that they can take, and the share of each kind of operation. The samples are those of ``data/demo``.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flags
from lora.jobs import Progress, Sample, Train, TrainSettings
from lora.models.base_model import Base
from lora.training.loop import train
from lora.training.plan import make_plan

DEMO = Path(__file__).parents[1] / "data/demo"
TIMED, PROFILED = 20, 10  # steps
KINDS = {
    "attention": ("bmm", "softmax", "_Attention", "_Attended"),
    "linear layers and LoRA": ("aten::mm", "addmm", "_Product"),
    "convolutions": ("convolution", "conv2d"),
    "norms": ("norm", "Norm"),
    "GELU and SiLU": ("gelu", "silu", "_Geglu"),
    "copies and new memory": ("copy", "empty", "zero", "cat"),
}


def steps(base: Base) -> Generator[None, None, None]:
    """One training step at each ``next``."""
    samples = tuple(
        Sample(picture=path.read_bytes(), caption=path.stem) for path in sorted(DEMO.glob("*.png"))[:4]
    )
    plan = make_plan(base, TrainSettings(batch_size=4, steps=1000), samples=len(samples))
    job = Train(id=1, attempt=1, keyword="demo", samples=samples)
    for event in train(base, job, replace(plan, checkpoint_steps=1000)):
        if isinstance(event, Progress) and event.loss is not None:
            yield


def timed(running: Iterator[None]) -> float:
    """Processor seconds of a step: the median. Prints it, with page faults."""
    taken = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(TIMED):
        began = time.process_time()
        next(running)
        taken.append(time.process_time() - began)
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults, system = after.ru_minflt - before.ru_minflt, after.ru_stime - before.ru_stime
    median = statistics.median(taken)
    print(f"a step: {median:.3f} s of processor time, {min(taken):.3f} s at best; {faults / TIMED:.0f} page faults, "
          f"{system / TIMED:.3f} s of them in the system")  # fmt: skip
    return median


def rate() -> float:
    """Multiplications and additions a second of a product of 1024 x 1024 in bfloat16, at best."""
    one = torch.randn(1024, 1024).to(torch.bfloat16)
    taken = []
    for _ in range(20):
        began = time.process_time()
        one @ one
        taken.append(time.process_time() - began)
    return 2 * 1024**3 / min(taken)


def print_floor(running: Iterator[None]) -> None:
    with FlopCounterMode(display=False) as counter:
        next(running)
    work, fastest = counter.get_total_flops(), rate()
    print(
        f"products: {work / 1e9:.0f} GFLOP a step, at {fastest / 1e9:.0f} GFLOP/s at best: {work / fastest:.3f} s"
    )


def print_shares(running: Iterator[None], seconds: float) -> None:
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(PROFILED):
            next(running)
    shares: Counter[str] = Counter()
    for event in found.key_averages():
        shares[_kind(event.key)] += event.self_cpu_time_total
    for kind, spent in shares.most_common():
        share = spent / shares.total()
        print(f"{kind}: {share:.1%}, {1000 * seconds * share:.0f} ms")


def _kind(name: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "the rest")


def main() -> None:
    args = flags.parser(__doc__).parse_args()
    torch.set_num_threads(1)
    running = steps(flags.base_of(args, "cpu"))
    with closing(running):
        for _ in range(3):
            next(running)
        seconds = timed(running)
        print_floor(running)
        print_shares(running, seconds)


if __name__ == "__main__":
    main()
