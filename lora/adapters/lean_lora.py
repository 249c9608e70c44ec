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


class _Product(torch.autograd.Function):
    """``x W^T + bias + scale (x A^T) B^T``; W and the bias get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, down: Tensor, up: Tensor, weight: Tensor, bias: Tensor | None, scale: float
    ) -> Tensor:
        a, b = down.to(x.dtype), (up * scale).to(x.dtype)
        rows = x.reshape(-1, x.shape[-1])
        inner = rows @ a.t()
        y = F.linear(rows, weight, bias).addmm_(inner, b.t())
        ctx.save_for_backward(rows, a, b, weight, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        rows, a, b, weight, inner = ctx.saved_tensors
        g = grad.reshape(-1, grad.shape[-1])
        to_inner = g @ b
        to_down = (to_inner.t() @ rows).float()
        to_up = (g.t() @ inner).float() * ctx.scale
        if not ctx.needs_input_grad[0]:
            return None, to_down, to_up, None, None, None
        to_x = (g @ weight).addmm_(to_inner, a)
        return to_x.view(ctx.shape), to_down, to_up, None, None, None


class LeanLora(Linear):
    """PEFT's layer, computed at once while one adapter is in use."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        names = [name for name in self.active_adapters if name in self.lora_A]
        if self.disable_adapters or not names:
            plain: Tensor = self.base_layer(x)
            return plain
        if len(names) > 1 or names[0] in self.lora_variant or self.merged:
            return super().forward(x, *args, **kwargs)
        name, layer = names[0], self.base_layer
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        found: Tensor = _Product.apply(x, down, up, layer.weight, layer.bias, self.scaling[name])
        return found


def make_lean(layer: Any) -> None:
    """Let a LoRA layer compute at once, in place, if it is on a linear layer in bfloat16 on a CPU."""
    if type(layer) is Linear and is_half_on_cpu(layer.base_layer.weight):
        layer.__class__ = LeanLora
