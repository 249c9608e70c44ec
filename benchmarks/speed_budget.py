"""What a call of SD 2.1's denoiser must do on a GPU: operations, bytes and kernels by kind, and the time they take.

    python -m benchmarks.speed_budget

Nothing is computed: the product's own modules run on torch's ``meta`` device, and each operation is counted as torch's
eager kernels do it on a GPU. Rates are those of one H100: measured for large products and copies, usual for the others.
A kernel takes the longest of its operations' time, its bytes' time and ``KERNEL_S``.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from lora.adapters.joined import TrainedHalves, join
from lora.adapters.slots import SlottedDenoiser
from lora.drawing.captured import _keep_texts
from lora.drawing.lean_denoiser import make_lean_denoiser
from lora.models import sd21
from lora.models.lean.blocks import make_lean

BYTES_S = 2.5e12
FLOPS_S = {"convolution": 480e12, "product": 600e12, "attention": 400e12}
KERNEL_S = 2.5e-6  # of a kernel in a graph, with the gap to the next one
RANK = 16

KINDS = (
    ("attention", ("_scaled_dot_product",)),
    ("convolution", ("convolution",)),
    ("product", ("mm", "bmm", "addmm", "baddbmm")),
    ("group norm", ("native_group_norm",)),
    ("layer norm", ("native_layer_norm",)),
    ("copy", ("clone", "copy_", "_to_copy", "cat", "_foreach_copy_")),
)
FREE = (
    "view",
    "expand",
    "transpose",
    "permute",
    "slice",
    "select",
    "split",
    "unbind",
    "unsqueeze",
    "squeeze",
    "detach",
    "t.",
    "alias",
    "_unsafe_view",
    "empty",
    "as_strided",
    "chunk",
    "_reshape_alias",
    "new_empty",
)


class Budget(TorchDispatchMode):
    """Counts what runs within it."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.flops: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.op_kernels: Counter[str] = Counter()
        self.op_seconds: dict[str, float] = defaultdict(float)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.")
        if not name.startswith(FREE):
            self._count(func, name, args, kwargs or {}, out)
        return out

    def _count(self, func: Any, name: str, args: Any, kwargs: Any, out: Any) -> None:
        kind = next((kind for kind, words in KINDS if name.startswith(words)), "elementwise")
        read, written = _tensors(args), _tensors(out)
        flops = (
            flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
            if func._overloadpacket in flop_registry
            else 0
        )
        self.add(kind, name, flops, sum(map(_size, read)) + sum(map(_size, written)))
        for extra, moved in _also(name, args, written):
            self.add(extra, f"{extra} in {name}", 0, moved)

    def add(self, kind: str, name: str, flops: int, moved: int) -> None:
        """Count one kernel."""
        took = max(KERNEL_S, moved / BYTES_S, flops / FLOPS_S.get(kind, math.inf))
        self.kernels[kind] += 1
        self.flops[kind] += flops
        self.bytes[kind] += moved
        self.seconds[kind] += took
        self.op_kernels[name] += 1
        self.op_seconds[name] += took


def _also(name: str, args: Any, written: list[Tensor]) -> Iterator[tuple[str, int]]:
    """Kernels that torch starts beside an operation's own: (kind, bytes)."""
    if name.startswith("convolution"):
        backward = name.startswith("convolution_backward")
        if not args[0].is_contiguous(memory_format=torch.channels_last):
            yield "copy", 2 * _size(args[0])
        if not backward and args[2] is not None:
            yield "elementwise", 2 * _size(written[0])  # the bias
    if name.startswith("native_group_norm"):
        pictures = [one for one in args if isinstance(one, Tensor) and one.dim() == 4]
        yield "group norm", sum(map(_size, pictures))  # moments, or sums of the gradients
        yield from (
            ("copy", 2 * _size(one)) for one in pictures
        )  # to channels first; ``meta`` has no such kernel
    if name.startswith("native_layer_norm_backward"):
        yield "layer norm", 2 * _size(args[0])


def _tensors(tree: Any) -> list[Tensor]:
    return list({id(one): one for one in tree_leaves(tree) if isinstance(one, Tensor)}.values())


def _size(tensor: Tensor) -> int:
    """Bytes that are in memory: those of expanded dimensions are there once."""
    there = [size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    return math.prod(there) * tensor.element_size()


def denoiser() -> Any:
    """SD 2.1-base's denoiser without values."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        made = UNet2DConditionModel(**sd21.settings(sd21.EPSILON_512)["unet"]).to(torch.bfloat16)
    return made.requires_grad_(False).eval().to(memory_format=torch.channels_last)


def given(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    like: dict[str, Any] = {"device": "meta", "dtype": torch.bfloat16}
    noisy = torch.empty(rows, 4, 64, 64, **like).to(memory_format=torch.channels_last)
    return noisy, torch.empty(rows, device="meta"), torch.empty(rows, 77, 1024, **like)


def drawing(pictures: int, *, merged: bool) -> Callable[[], Any]:
    """A step's call for pictures with guidance; ``merged``: with weights, else with halves."""
    made = SlottedDenoiser(denoiser(), rank=RANK, targets="attention+ff")
    flat = torch.empty(pictures, made.layout.size, device="meta", dtype=torch.bfloat16)
    made.bind(flat)
    noisy, _, text = given(2 * pictures)
    base: Any = SimpleNamespace(device=torch.device("meta"), dtype=torch.bfloat16)
    make_lean_denoiser(made.unet)
    _keep_texts(made.unet, 2 * pictures, base)
    made.count_rows(noisy[:1], text[:1])
    made.use_groups(pictures)
    if merged:
        made.use_merged(made.merged_weights(1 if pictures == 1 else pictures), pictures)
    shifts = made.unet.shifts_of(torch.empty(1, device="meta"))
    return lambda: made.unet(noisy[:pictures], shifts, encoder_hidden_states=text)


def training(pictures: int) -> Callable[[], Any]:
    """Forward and backward of a step."""
    made = SlottedDenoiser(denoiser(), rank=RANK, targets="attention+ff")
    make_lean(made.unet)
    halves = TrainedHalves(made, join(made))
    flat = torch.empty(1, made.layout.size, device="meta", dtype=torch.bfloat16)
    shown = given(pictures)

    def step() -> None:
        noisy, time, text = shown
        with halves.bound(flat, 1.0) as leaves:
            answer = made.unet(noisy, time, encoder_hidden_states=text).sample
            torch.autograd.grad(answer.float().square().mean(), leaves)

    return step


CALLS: dict[str, tuple[bool, Callable[[], Any]]] = {
    "one picture, weights": (False, lambda: drawing(1, merged=True)),
    "16 people, weights where they pay": (False, lambda: drawing(16, merged=True)),
    "16 people, halves": (False, lambda: drawing(16, merged=False)),
    "training, batch 1": (True, lambda: training(1)),
    "training, batch 8": (True, lambda: training(8)),
}


@contextmanager
def counted() -> Iterator[Budget]:
    """Within it attention is one kernel, as on a GPU; torch's own choice for ``meta`` is another one."""

    def attention(query: Tensor, key: Tensor, value: Tensor, **_: Any) -> Tensor:
        found: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return found

    with patch.object(F, "scaled_dot_product_attention", attention), Budget() as budget:
        yield budget


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ops", type=int, default=0, help="how many kinds of operations to list for each call"
    )
    asked = parser.parse_args()
    for name, (gradients, make) in CALLS.items():
        with torch.set_grad_enabled(gradients):
            call = make()
            with counted() as budget:
                call()
        print(f"\n{name}\n  {'kind':<14}{'kernels':>8}{'TFLOP':>8}{'GB':>8}{'ms':>8}")
        for kind in sorted(budget.seconds, key=lambda one: -budget.seconds[one]):
            _line(kind, budget.kernels[kind], budget.flops[kind], budget.bytes[kind], budget.seconds[kind])
        kernels, flops, moved = (one.total() for one in (budget.kernels, budget.flops, budget.bytes))
        _line("all", kernels, flops, moved, sum(budget.seconds.values()))
        for op, took in sorted(budget.op_seconds.items(), key=lambda item: -item[1])[: asked.ops]:
            print(f"    {took * 1e3:8.3f} ms {budget.op_kernels[op]:6d}  {op}")


def _line(kind: str, kernels: int, flops: int, moved: int, seconds: float) -> None:
    print(f"  {kind:<14}{kernels:>8}{flops / 1e12:>8.2f}{moved / 1e9:>8.2f}{seconds * 1e3:>8.2f}")


if __name__ == "__main__":
    main()
