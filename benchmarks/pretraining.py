"""Measures how fast the bundled base is trained on a GPU, and which kernels take the time of a step.

    python -m lora.pretrain.words --teacher FOLDER           # once: words.safetensors
    python -m benchmarks.pretraining --batch 256 512 [--attention cudnn] [--no-graph] [--no-compile] [--kernels 25]

Times whole compiled training steps (loss, gradients, optimizer, EMA) of ``lora.pretrain.text_to_image`` on random
latents and weights, on one GPU: the same work as on real ones. ``--kernels`` lists the kernels that take the most time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.attention import SDPBackend, sdpa_kernel

from lora.pretrain.learner import PEAK, Learner, StepLosses
from lora.pretrain.model import Model
from lora.pretrain.variants import Vocabulary

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
WARM_UP, TIMED = 5, 20  # steps


def attention_backend(attention: str | None) -> AbstractContextManager[None]:
    """Only this kind of attention, or torch's own choice."""
    return sdpa_kernel(BACKENDS[attention]) if attention else nullcontext()


def record(learner: Learner) -> float:
    """Record the CUDA graph; returns the seconds that it took."""
    began = time.monotonic()
    learner.record()
    return time.monotonic() - began


def measure(args: argparse.Namespace, batch: int) -> None:
    """Print pictures a second, and the kernels if ``args.kernels`` is set."""
    device = torch.device(args.device)
    torch._dynamo.reset()
    words = load_file(args.dir / "words.safetensors")
    vocabulary = Vocabulary(words["kept"])
    model = Model(vocabulary).to(device)
    generator = torch.Generator(device).manual_seed(0)
    learner = Learner(model, StepLosses(model, words, vocabulary, not args.no_compile), batch, generator)
    latents = torch.randn(batch, 8, 32, 32, device=device)
    rows = [vocabulary.rows(text) for text in ("noto cat", "a red car, blue background")]
    ids = torch.tensor(rows, device=device).repeat(batch // 2, 1)

    def steps(count: int) -> float:
        began = time.monotonic()
        for _ in range(count):
            learner.step(latents, ids, PEAK / 100)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.monotonic() - began

    with attention_backend(args.attention):
        before = steps(WARM_UP)
        if not args.no_graph:
            before += record(learner)
            steps(WARM_UP)
        each = steps(TIMED) / TIMED
        print(
            f"batch {batch}, attention {args.attention or 'as it comes'}, {'no ' if args.no_graph else ''}graph: "
            f"{batch / each:.0f} pictures a second, {each * 1000:.1f} ms a step, {before:.0f} s before the first",
            flush=True,
        )
        if args.kernels:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
                steps(1)
            print(
                seen.key_averages().table(
                    sort_by="self_device_time_total", row_limit=args.kernels, max_name_column_width=70
                )
            )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--attention", choices=list(BACKENDS))
    parser.add_argument("--no-graph", action="store_true", help="launch every kernel anew")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--kernels", type=int, default=0)
    args = parser.parse_args(argv)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if args.device.startswith("cuda:"):
        torch.cuda.set_device(args.device)
    for batch in args.batch:
        measure(args, batch)


if __name__ == "__main__":
    main()
