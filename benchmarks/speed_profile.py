"""Where the time of drawing and training goes on one GPU: parts, kernels, and variants that the product could use.

``python3 -m benchmarks.speed profile [--seconds S]`` runs the parts of PARTS in processes of their own at the same
time, because compiling keeps the processor busy for minutes. While one of them measures, the others leave the GPU
alone. Each prints tables; what is not done after S seconds is ended.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C._autograd import DeviceType
from torch.nn import functional as F

from benchmarks import speed_setup as setup
from benchmarks.speed_setup import PEOPLE, Setting
from lora.drawing.captured import CapturedDrawing, Phase, Request
from lora.drawing.half_decoder import Decoder
from lora.drawing.solver import solver_of
from lora.models.graphs import Graphs

KINDS = (  # of kernels, by their names
    ("attention", r"sdpa|flash|fmha|attention"),
    ("convolution", r"conv|xmma_fprop|xmma_dgrad|xmma_wgrad|implicit_gemm|cudnn"),
    ("matrix products", r"nvjet|gemm|cutlass|splitK|triton_tem|_mm_|bmm"),
    ("norms", r"Moments|norm|triton_red|triton_per"),
    ("elementwise", r"elementwise|triton_poi|copy|cat|Memcpy|Memset|upsample"),
)
SHOWN = 25  # kernels of a table


def ms(setting: Setting, call: Callable[[], Any], times: int = 10) -> float:
    """Milliseconds of a call among several that are queued together: the median of three rounds."""
    call()
    times = 1 if setting.tiny else times
    return 1e3 * statistics.median(
        setting.timed(lambda: [call() for _ in range(times)]) / times for _ in "123"
    )


def table(name: str, found: Mapping[str, Any]) -> None:
    print(f"\n== {name}")
    for key, value in found.items():
        print(f"  {key}: {f'{value:.3f}' if isinstance(value, float) else value}")
    sys.stdout.flush()


def kernels(setting: Setting, name: str, call: Callable[[], Any], times: int = 3) -> None:
    """Print the milliseconds of a call by kinds of kernels, and the kernels that take most."""
    call()
    with torch.profiler.profile() as seen:
        for _ in range(times):
            call()
        setting.sync()
    spent: dict[str, list[float]] = defaultdict(list)
    for event in seen.events():
        if event.device_type == DeviceType.CUDA:
            spent[event.name].append(event.time_range.elapsed_us() / 1e3)
    kinds: dict[str, float] = defaultdict(float)
    for kernel, took in spent.items():
        kinds[next((kind for kind, words in KINDS if re.search(words, kernel)), "others")] += (
            sum(took) / times
        )
    table(
        f"{name}: ms by kinds of kernels",
        {**dict(sorted(kinds.items(), key=lambda one: -one[1])), "all": sum(kinds.values())},
    )
    print(f"-- {name}: ms in all, times, ms each")
    for kernel, took in sorted(spent.items(), key=lambda one: -sum(one[1]))[:SHOWN]:
        print(
            f"  {sum(took) / times:8.3f} {len(took) / times:6.0f} {statistics.median(took):8.4f}  {kernel[:110]}"
        )
    sys.stdout.flush()


def drawing_parts(setting: Setting, count: int, own: bool, *, compiled: bool) -> None:
    """The parts of a batch of ``count`` pictures, with an adapter for each or none, and the kernels of a step."""
    base, files = setup.load_base(setting), setup.adapters(setting)
    drawing = CapturedDrawing(base, buckets=[count], slots=max(2, count))
    merged = 1 if count == 1 or not own else drawing.mixed(count)
    if compiled:
        drawing.compile([(count, True, merged)])
    texts = base.embed(["", "zorvex fox"])
    given = [files[i] if own else None for i in range(count)]
    wanted = [
        Request(adapter=one, texts=texts, noise=torch.randn_like(drawing.start[0]).cpu(), cfg=7.5)
        for one in given
    ]
    solver, phases = solver_of(base, setting.steps), [Phase(first=0, guided=True)]

    def sample() -> Tensor:
        steps = drawing.sample(wanted, solver, phases)
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                return ended.value

    took = setting.timed(sample)
    key, work = ("step", count, True, merged), drawing._step_of(count, True, merged)
    name = f"{count} pictures, {'adapters' if own else 'no adapters'}, {'compiled' if compiled else 'graph'}"
    latents = sample()
    list(drawing.decode(latents))

    def step() -> None:
        drawing._number.zero_()
        drawing._graphs.run(key, work)

    with setting.alone():
        table(
            name,
            {
                "first, s": took,
                "all steps, ms": ms(setting, sample, 1),
                "one step, ms": ms(setting, step),
                "begin (adapters, weights, keys of texts), ms": ms(
                    setting,
                    lambda: drawing._begin(wanted, drawing.bank.load(given), count, merged, phases[0]),
                ),
                "decoded, ms": ms(setting, lambda: list(drawing.decode(latents)), 2),
                "two texts, ms": ms(setting, lambda: base._encode_text(["", "fox"]), 5),
                "all texts, ms": ms(setting, lambda: base._encode_text(["fox"] * count), 5),
            },
        )
        kernels(setting, f"{name}, a step", step)
        kernels(setting, f"{name}, decoding", lambda: list(drawing.decode(latents)), 1)


@torch.no_grad()
def decoders(setting: Setting) -> None:
    """The decoder in several precisions: ms, peak of memory, furthest from float32 in levels of 255."""
    base = setup.load_base(setting)
    side = base.unet.config.sample_size
    chance = torch.Generator(base.device).manual_seed(0)
    latents = torch.randn(4, 4, side, side, generator=chance, device=base.device)
    right = base.decode(latents[:1])
    kinds = {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }
    for compiled in (False, True) if setting.compiled else (False,):
        for name, dtype in kinds.items():
            if (compiled and name != "float16") or (setting.tiny and dtype != torch.float32):
                continue
            decoder = Decoder(base, dtype, bands=dtype != torch.float32)
            if compiled:
                decoder.compile()
            found: dict[str, Any] = {
                "furthest, levels": float((decoder(latents[:1]) - right).abs().max()) * 127.5
            }
            for count in (1, 4):
                graphs, out = Graphs(base.device), torch.empty_like(right.expand(count, -1, -1, -1))
                some = latents[:count].clone()

                def work(some: Tensor = some, out: Tensor = out, decoder: Decoder = decoder) -> None:
                    out.copy_(decoder(some))

                with setting.alone():
                    if setting.device.type == "cuda":
                        torch.cuda.synchronize()
                        torch.cuda.reset_peak_memory_stats()
                        before = torch.cuda.memory_allocated()
                        work()
                        found[f"peak of {count}, GB"] = (torch.cuda.max_memory_allocated() - before) / 1e9
                    found[f"{count}, ms"] = ms(setting, partial(graphs.run, (0,), work), 5)
            table(f"decoder, {name}{', compiled' if compiled else ''}", found)
            if dtype == torch.float16:
                with setting.alone():
                    kernels(
                        setting,
                        f"decoder, {name}{', compiled' if compiled else ''}",
                        partial(decoder, latents[:1]),
                    )


@torch.no_grad()
def products(setting: Setting) -> None:
    """ms of a layer's product at each of the denoiser's sizes: plain, a weight for each picture, halves."""
    like: dict[str, Any] = {"device": setting.device, "dtype": setting.dtype}
    for rows, width in ((4, 32),) if setting.tiny else ((4096, 320), (1024, 640), (256, 1280), (64, 1280)):
        for pictures in (1, PEOPLE):
            for inputs, outputs in ((width, width), (width, 8 * width), (4 * width, width)):
                x = torch.randn(2 * pictures, rows, inputs, **like)
                weight, bias = torch.randn(outputs, inputs, **like), torch.randn(outputs, **like)
                own = torch.randn(pictures, outputs, inputs, **like)
                down, up = (
                    torch.randn(pictures, 16, inputs, **like),
                    torch.randn(pictures, outputs, 16, **like),
                )
                grouped = x.view(pictures, -1, inputs)

                def halves() -> Tensor:
                    low = torch.bmm(grouped, down.transpose(1, 2))  # noqa: B023
                    y = F.linear(x, weight, bias).view(pictures, -1, outputs)  # noqa: B023
                    return torch.baddbmm(y, low, up.transpose(1, 2))  # noqa: B023

                ways: dict[str, Callable[[], Any]] = {
                    "plain": partial(F.linear, x, weight, bias),
                    "own weights": partial(torch.baddbmm, bias, grouped, own.transpose(1, 2)),
                    "halves": halves,
                }
                if inputs == outputs:
                    three = torch.cat([weight] * 3)
                    ways["three in one"] = partial(F.linear, x, three)
                found = {}
                with setting.alone():
                    for name, way in ways.items():
                        graphs = Graphs(setting.device)

                        def work(way: Callable[[], Any] = way) -> None:
                            for _ in range(10):
                                way()

                        found[name] = ms(setting, partial(graphs.run, (0,), work), 5) / 10
                flops = 2 * x.numel() * outputs
                line = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
                print(
                    f"  {2 * pictures} x {rows} x {inputs} -> {outputs}: {line} ms;"
                    f" plain {flops / found['plain'] / 1e9:.0f} TFLOP/s"
                )
    sys.stdout.flush()


def training(setting: Setting, *, compiled: bool) -> None:
    """A training step: the whole of it, its graph alone, and its kernels."""
    from benchmarks import speed_training
    from lora.training import shared_step

    base = setup.load_base(setting)
    for batch in (8, 1):
        steps = speed_training._ours(setting, base, batch, graph=True, compiled=compiled)
        took = setting.timed(lambda steps=steps: [next(steps) for _ in range(3)])  # type: ignore[misc]
        known = next(iter(next(iter(shared_step._shared.values())).values()))
        with setting.alone():
            name = f"training, batch {batch}{', compiled' if compiled else ''}"
            alone = partial(known._graphs.run, (1,), lambda: None)
            whole = partial(next, steps)
            table(
                name,
                {
                    "first, s": took,
                    "a step, ms": ms(setting, whole),
                    "its graph alone, ms": ms(setting, alone),
                },
            )
            kernels(setting, name, whole)
        steps.close()  # type: ignore[attr-defined]


def around(setting: Setting) -> None:
    """What is not a step: an adapter's way to its slot, encoding samples, a checkpoint."""
    import cProfile
    import pstats

    from benchmarks.sd21_shape import samples
    from lora.adapters.slot_bank import content_of
    from lora.data.dataset import SamplePictures, to_tensor

    base, files = setup.load_base(setting), setup.adapters(setting)
    drawing = CapturedDrawing(base, buckets=[1], slots=PEOPLE)
    bank, fresh = drawing.bank, iter(range(PEOPLE))
    images = list(SamplePictures(samples(2)))
    square = images[0].convert("RGB").resize((base.resolution,) * 2)
    bank.load([files[PEOPLE]])
    with setting.alone():
        table(
            "around",
            {
                "key of a file, ms": ms(setting, lambda: content_of(files[0]), 3),
                "file into a slot, ms": ms(setting, lambda: bank.write(1, files[0]), 3),
                "new file, ms": ms(setting, lambda: bank.load([files[next(fresh)]]), 2),
                "encode one, ms": ms(setting, lambda: base.encode(to_tensor([square])), 5),
                "encode two together, ms": ms(setting, lambda: base.encode(to_tensor([square] * 2)), 5),
                "picture to tensor, ms": ms(setting, lambda: to_tensor([square]), 5),
            },
        )
    watched = cProfile.Profile()
    watched.runcall(bank.write, 1, files[1])
    pstats.Stats(watched).sort_stats("cumulative").print_stats(18)


def cold(setting: Setting) -> None:
    """Seconds of each stage of a cold worker's first picture with graphs."""
    marks: dict[str, Any] = {"imports, since the process began": _age()}

    def then(name: str, call: Callable[[], Any]) -> Any:
        found: list[Any] = []
        marks[name] = setting.timed(lambda: found.append(call()))
        return found[0]

    then("device", lambda: torch.zeros(1, device=setting.device))
    base = then("base", lambda: setup.load_base(setting))
    files = then("adapter files", lambda: setup.adapters(setting))
    drawing = then("buffers, probes", lambda: CapturedDrawing(base, buckets=[1], slots=2))
    base.captured = drawing
    for name in ("first picture", "second picture"):
        then(name, lambda: setup.pictures(base, setup.items([files[0]], len(marks)), setting.steps))
    table("a cold worker, s", marks)


def _age() -> float:
    """Seconds since this process began."""
    began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")


COMPILED: dict[str, tuple[int, bool, dict[str, str]]] = {  # pictures, adapters, settings of the compiler
    "one": (1, True, {}),
    "people": (PEOPLE, True, {}),
    "bare": (PEOPLE, False, {}),
    "one-autotuned": (1, True, {"TORCHINDUCTOR_MAX_AUTOTUNE_GEMM": "1"}),
}
PARTS: dict[str, Callable[[Setting], None]] = {
    "cold": cold,
    **{
        name: partial(drawing_parts, count=count, own=own, compiled=True)
        for name, (count, own, _) in COMPILED.items()
    },
    "around": around,
    "decoders": decoders,
    "training": partial(training, compiled=False),
    "one-graph": partial(drawing_parts, count=1, own=True, compiled=False),
    "products": products,
    "people-graph": partial(drawing_parts, count=PEOPLE, own=True, compiled=False),
    "training-compiled": partial(training, compiled=True),
}


def profile(setting: Setting, argv: list[str], only: list[str], seconds: float) -> None:
    """Run the parts, all at once, and print what each found."""
    began = time.monotonic()
    setup.load_base(setting)
    chosen = only or [name for name in PARTS if setting.compiled or name not in COMPILED]
    threads = str(max(1, (os.cpu_count() or 1) // 4))
    logs = {name: setting.folder / f"profile-{name}.log" for name in chosen}
    children = {}
    for name in chosen:
        more = COMPILED[name][2] if name in COMPILED else {}
        children[name] = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed", "part", name, *argv],
            env={**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": threads, **more},
            stdout=logs[name].open("w"),
            stderr=subprocess.STDOUT,
        )
    for name, child in children.items():
        try:
            child.wait(max(0.1, began + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        ended = "" if child.returncode == 0 else f", ended with {child.returncode}"
        text = logs[name].read_text()
        print(f"\n######## {name}{ended}\n{text}", flush=True)
        if setting.results is not None:
            setting.results.mkdir(parents=True, exist_ok=True)
            (setting.results / f"profile-{name}.log").write_text(text)
