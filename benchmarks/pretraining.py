"""How fast the bundled base learns on a GPU, and where a step's time goes.

    python -m lora.pretrain.words --teacher FOLDER           # once: words.safetensors
    python -m benchmarks.pretraining --batch 256 512 [--attention cudnn] [--kernels 25]

Times whole compiled training steps (loss, gradients, optimizer, averages) of ``lora.pretrain.text_to_image`` on random
latents, on one GPU: the same work as on real ones. ``--kernels`` lists the kernels that take the most time.
"""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lora.pretrain.text_to_image import PEAK, Averages, Lessons, Model
from lora.pretrain.variants import Vocabulary

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
WARM_UP, TIMED = 5, 20  # steps


def chosen(attention: str | None) -> AbstractContextManager[None]:
    """Only this way of attention, or whatever torch thinks best."""
    return sdpa_kernel(BACKENDS[attention]) if attention else nullcontext()


class Steps:
    """One GPU's training, a step at a time."""

    def __init__(self, folder: Path, batch: int, device: torch.device) -> None:
        words = load_file(folder / "words.safetensors")
        vocabulary = Vocabulary(words["kept"])
        self.model = Model(vocabulary).to(device)
        self.model.warm_up(vocabulary)
        self.weights = [w for w in self.model.parameters() if w.requires_grad]
        self.averages = Averages(self.weights)
        self.optimizer = torch.optim.AdamW(self.weights, lr=PEAK / 100, fused=device.type == "cuda")
        self.lessons = Lessons(self.model, words, vocabulary, True)
        self.generator = torch.Generator(device).manual_seed(0)
        self.latents = torch.randn(batch, 8, 32, 32, device=device)
        rows = [vocabulary.rows(text) for text in ("noto cat", "a red car, blue background")]
        self.ids = torch.tensor(rows, device=device).repeat(batch // 2, 1)

    def step(self) -> None:
        loss = self.lessons.pictures(self.latents, self.ids, self.generator)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.averages.update()


def measure(args: argparse.Namespace, batch: int) -> None:
    """Print pictures a second, and the kernels if they are asked for."""
    device = torch.device(args.device)
    torch._dynamo.reset()
    work = Steps(args.dir, batch, device)
    with chosen(args.attention):
        began = time.monotonic()
        for _ in range(WARM_UP):
            work.step()
        torch.cuda.synchronize(device)
        compiled = time.monotonic() - began
        began = time.monotonic()
        for _ in range(TIMED):
            work.step()
        torch.cuda.synchronize(device)
        each = (time.monotonic() - began) / TIMED
        print(
            f"batch {batch}, attention {args.attention or 'as it comes'}: {batch / each:.0f} pictures a second, "
            f"{each * 1000:.1f} ms a step, {compiled:.0f} s for the first {WARM_UP}",
            flush=True,
        )
        if args.kernels:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
                work.step()
                torch.cuda.synchronize(device)
            print(
                seen.key_averages().table(
                    sort_by="self_device_time_total", row_limit=args.kernels, max_name_column_width=70
                )
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--attention", choices=list(BACKENDS))
    parser.add_argument("--kernels", type=int, default=0)
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    if args.device.startswith("cuda:"):
        torch.cuda.set_device(args.device)
    for batch in args.batch:
        measure(args, batch)


if __name__ == "__main__":
    main()
