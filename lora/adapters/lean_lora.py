"""PEFT's LoRA layer as one function with its own gradient, for a denoiser in bfloat16 on a CPU.

PEFT computes with float32 weights in float32, and converts what comes in and goes out. Here they are rounded to
bfloat16 for a step, as in the CUDA graphs of trainings; the weights themselves and their gradients are float32.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor
from torch.nn import functional as F

from lora.models.lean.functions import is_half_on_cpu


def _product(
    rows: Tensor, down: Tensor, up: Tensor, weight: Tensor, bias: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """``x W^T + bias + scale (x A^T) B^T`` of rows x, and ``x A^T``."""
    inner = rows @ down.t()
    return F.linear(rows, weight, bias).addmm_(inner, up.t(), alpha=scale), inner


class _Product(torch.autograd.Function):
    """``_product`` with gradients for x, A and B.

    ``slots._Halves`` has the same gradient for another purpose: on a GPU it takes stacked halves of several adapters in
    the base's precision, and joins products where that moves less memory. Here is one adapter with float32 weights, and
    the views and checks that groups need would be paid for at every call: nothing hides them on a CPU.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, down: Tensor, up: Tensor, weight: Tensor, bias: Tensor | None, scale: float
    ) -> Tensor:
        down, up = down.to(rows.dtype), up.to(rows.dtype)
        y, inner = _product(rows, down, up, weight, bias, scale)
        ctx.save_for_backward(rows, down, up, weight, inner)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        rows, down, up, weight, inner = ctx.saved_tensors
        to_inner = (grad @ up).mul_(ctx.scale)
        to_down = (to_inner.t() @ rows).float()
        to_up = (grad.t() @ inner).float().mul_(ctx.scale)
        to_rows = (grad @ weight).addmm_(to_inner, down) if ctx.needs_input_grad[0] else None
        return to_rows, to_down, to_up, None, None, None


class LeanLora(Linear):
    """PEFT's layer, computed at once while one adapter is in use."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        names = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or not names:
            plain: Tensor = self.base_layer(x)
            return plain
        if len(names) > 1 or names[0] in self.lora_variant or self.merged:
            return super().forward(x, *args, **kwargs)
        name, layer, rows = names[0], self.base_layer, x.reshape(-1, x.shape[-1])
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        frozen = (layer.weight, layer.bias, self.scaling[name])
        if torch.is_grad_enabled():
            y = _Product.apply(rows, down, up, *frozen)
        else:
            y, _ = _product(rows, down.to(x.dtype), up.to(x.dtype), *frozen)
        return y.view(*x.shape[:-1], -1)


def make_lean(layer: Any) -> None:
    """Let a LoRA layer compute at once, in place, if it is on a linear layer in bfloat16 on a CPU."""
    if type(layer) is Linear and is_half_on_cpu(layer.base_layer.weight):
        layer.__class__ = LeanLora
