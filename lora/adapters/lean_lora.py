"""PEFT's LoRA layers as functions with their own gradients, for a denoiser in bfloat16 on a CPU.

PEFT computes with float32 weights in float32, and converts what comes in and goes out. Here they are rounded to
bfloat16 for a step, as in the CUDA graphs of trainings; the weights themselves and their gradients are float32.

A product of rank 16 takes little more than its call. So the layers of an attention that see the same vectors are one
product while they are trained. On a GPU, ``joined`` does that with the stacked halves of several adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from diffusers.models.attention_processor import Attention
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.nn import functional as F

from lora.models.lean.blocks import LeanAttention
from lora.models.lean.functions import attend, attend_back, is_half_on_cpu, is_in_parts


class Halves(NamedTuple):
    """What an adapter adds to a layer: ``scale (x A^T) B^T``."""

    down: Tensor  # A [rank, in]
    up: Tensor  # B [out, rank]
    scale: float


def _times(x: Tensor, scale: float) -> Tensor:
    """x multiplied in place."""
    return x if scale == 1 else x.mul_(scale)


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
        to_inner = _times(grad @ up, ctx.scale)
        to_down = (to_inner.t() @ rows).float()
        to_up = _times((grad.t() @ inner).float(), ctx.scale)
        to_rows = (grad @ weight).addmm_(to_inner, down) if ctx.needs_input_grad[0] else None
        return to_rows, to_down, to_up, None, None, None


class LeanLora(Linear):
    """PEFT's layer, computed at once while one adapter is in use."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        found, layer = self.halves(), self.base_layer
        if found is None:
            plain: Tensor = super().forward(x, *args, **kwargs) if self._names() else layer(x)
            return plain
        rows, (down, up, scale) = x.reshape(-1, x.shape[-1]), found
        if torch.is_grad_enabled():
            y = _Product.apply(rows, down, up, layer.weight, layer.bias, scale)
        else:
            y, _ = _product(rows, down.to(x.dtype), up.to(x.dtype), layer.weight, layer.bias, scale)
        return y.view(*x.shape[:-1], -1)

    def halves(self) -> Halves | None:
        """Those of the one adapter that is in use; None if there is none, or if PEFT has to compute it."""
        names = self._names()
        if len(names) != 1 or names[0] in self.lora_variant or self.merged:
            return None
        return Halves(self.lora_A[names[0]].weight, self.lora_B[names[0]].weight, self.scaling[names[0]])

    def _names(self) -> list[str]:
        return [] if self.disable_adapters else [name for name in self.active_adapters if name in self.lora_A]


class _Attended(torch.autograd.Function):
    """Attention of x to the text, or to x itself if there is none, with gradients for both, and for each A and B."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        text: Tensor | None,
        heads: int,
        weights: Sequence[Tensor],
        scales: Sequence[float],
        *halves: Tensor,
    ) -> Tensor:
        seen = [x] if text is None else [x, text]
        downs, ups = halves[:3], [up.to(x.dtype) for up in halves[3:]]
        made, factors = [], []
        vectors: list[Tensor] = []  # queries, keys and values
        for own, rows in zip(_shares(seen), seen, strict=True):
            y, factor = _joined(rows.flatten(0, 1), weights[own], downs[own], ups[own], scales[own])
            made.append(y)
            factors.append(factor)
            vectors += _columns(y.unflatten(0, rows.shape[:2]), ups[own])[0]
        out, kept = attend(vectors[0], vectors[1], vectors[2], heads)
        ctx.save_for_backward(*seen, *made, *factors, *ups, *kept)
        ctx.count, ctx.heads, ctx.scales = len(seen), heads, scales
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        saved = list(ctx.saved_tensors)
        seen, made, factors, ups = (
            [saved.pop(0) for _ in range(count)] for count in (ctx.count, ctx.count, ctx.count, 3)
        )
        grads = [torch.empty_like(y) for y in made]
        to_vectors: list[Tensor] = []
        for own, rows, to_y in zip(_shares(seen), seen, grads, strict=True):
            to_vectors += _columns(to_y.unflatten(0, rows.shape[:2]), ups[own])[0]
        attend_back(saved, grad, ctx.heads, to_vectors)
        to_seen: list[Tensor | None] = [None, None]
        to_downs: list[Tensor] = []
        to_ups: list[Tensor] = []
        for number, (own, rows, y, to_y) in enumerate(zip(_shares(seen), seen, made, grads, strict=True)):
            downs, some_ups = _joined_back(to_y, rows.flatten(0, 1), y, ups[own], ctx.scales[own])
            to_downs += downs
            to_ups += some_ups
            if ctx.needs_input_grad[number]:
                to_seen[number] = (to_y @ factors[number]).view(rows.shape)
        return *to_seen, None, None, None, *to_downs, *to_ups


def _shares(seen: Sequence[Tensor]) -> tuple[slice, ...]:
    """Which of queries, keys and values are made of x, and which of a text, if there is one."""
    return (slice(0, 3),) if len(seen) == 1 else (slice(0, 1), slice(1, 3))


def _joined(
    rows: Tensor,
    weights: Sequence[Tensor],
    downs: Sequence[Tensor],
    ups: Sequence[Tensor],
    scales: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Side by side what each layer makes of rows x, then each ``x A^T``; and the factor of this one product."""
    factor = torch.cat((*weights, torch.cat(tuple(downs)).to(rows.dtype)))
    y = rows @ factor.t()
    for out, inner, up, scale in zip(*_columns(y, ups), ups, scales, strict=True):
        out.addmm_(inner, up.t(), alpha=scale)
    return y, factor


def _joined_back(
    grad: Tensor, rows: Tensor, y: Tensor, ups: Sequence[Tensor], scales: Sequence[float]
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Gradients for each A and each B. Those for ``x A^T`` are written into their columns of grad."""
    (to_outs, to_inners), (_, inners), to_ups = _columns(grad, ups), _columns(y, ups), []
    for to_out, to_inner, inner, up, scale in zip(to_outs, to_inners, inners, ups, scales, strict=True):
        _times(torch.mm(to_out, up, out=to_inner), scale)
        to_ups.append(_times((to_out.t() @ inner).float(), scale))
    ranks = [up.shape[1] for up in ups]
    return (grad[:, -sum(ranks) :].t() @ rows).float().split(ranks), to_ups


def _columns(y: Tensor, ups: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Of what ``_joined`` gives, each layer's part and each ``x A^T``."""
    parts = y.split([len(up) for up in ups] + [up.shape[1] for up in ups], -1)
    return parts[: len(ups)], parts[len(ups) :]


class LoraAttention(LeanAttention):
    """An attention processor that computes layers with an adapter together while the adapter is trained."""

    def attended(self, attn: Any, x: Tensor, text: Tensor | None) -> Tensor:
        layers = [layer for layer in (attn.to_q, attn.to_k, attn.to_v) if isinstance(layer, LeanLora)]
        halves = [half for half in (layer.halves() for layer in layers) if half is not None]
        biased = any(layer.base_layer.bias is not None for layer in layers)
        in_parts = is_in_parts(x, x if text is None else text, attn.heads)
        if not torch.is_grad_enabled() or len(halves) < 3 or biased or not in_parts:
            return super().attended(attn, x, text)
        downs, ups, scales = zip(*halves, strict=True)
        weights = tuple(layer.base_layer.weight for layer in layers)
        y: Tensor = _Attended.apply(x, text, attn.heads, weights, scales, *downs, *ups)
        return y


def make_lean(denoiser: nn.Module) -> None:
    """Let LoRA layers compute at once, in place, where they are on linear layers in bfloat16 on a CPU."""
    modules: list[Any] = list(denoiser.modules())
    for module in modules:
        if type(module) is Linear and is_half_on_cpu(module.base_layer.weight):
            module.__class__ = LeanLora
    for module in modules:
        lean = isinstance(module, Attention) and type(module.processor) is LeanAttention
        if lean and isinstance(module.to_q, LeanLora):
            module.set_processor(LoraAttention())
