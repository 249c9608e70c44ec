"""What lean blocks compute with their own gradients: group norm, GEGLU and attention in bfloat16 on a CPU.

torch computes the gradient of its attention three times as slowly as the products that it consists of. Weights of norms
get no gradient: those of a base are never trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AT_ONCE = 1 << 21  # attention weights that are computed together: 4 MB of bfloat16 stay in a CPU's cache
SLOW_BELOW = 32 * 32  # places of a picture; torch has another group norm for fewer
EVEN = 32  # keys; of a number that is no multiple, softmax is faster in float32
MOST = 1 << 24  # attention weights of one picture; of more (SD 2.1 at 512 px), none are kept in memory


def is_half_on_cpu(tensor: Tensor | None) -> bool:
    """Whether it is in bfloat16 on a CPU."""
    return tensor is not None and tensor.dtype == torch.bfloat16 and tensor.device.type == "cpu"


class _GroupNorm(torch.autograd.Function):
    """``y = x gain + shift`` with one gain and shift for each picture and channel, from the group's mean and deviation.

    torch's own is several times as slow, of pictures whose channels are last: forwards in bfloat16 with fewer than
    32 x 32 places, and backwards in any precision.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        rows = _rows(x)
        means, squares = rows.mean(1), rows.square().mean(1)
        mean = _over_groups(means, groups)
        variance = (_over_groups(squares, groups) - mean.square()).clamp_min(
            0
        )  # equal values: rounding is below 0
        rstd = (variance + eps).rsqrt()
        gain = rstd * weight
        ctx.save_for_backward(x, mean, rstd, gain)
        ctx.groups = groups
        shift = bias - mean * gain
        return _picture(torch.addcmul(shift[:, None], rows, gain[:, None]), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, mean, rstd, gain = ctx.saved_tensors
        rows, g = _rows(x), _rows(grad)
        # dL/dx = gain g - (mean of gain g) - xhat (mean of gain g xhat), means over the group, xhat = rstd (x - mean)
        both, one = (g * rows).mean(1) * gain, g.mean(1) * gain
        slope = -rstd.square() * _over_groups(both - mean * one, ctx.groups)
        start = -_over_groups(one, ctx.groups) - slope * mean
        found = torch.addcmul(start[:, None], rows, slope[:, None]).addcmul_(g, gain[:, None])
        return _picture(found, x), None, None, None, None


def _rows(x: Tensor) -> Tensor:
    """Pictures [n, channels, h, w] as [n, h w, channels] in float32."""
    return x.permute(0, 2, 3, 1).flatten(1, 2).float()


def _picture(rows: Tensor, like: Tensor) -> Tensor:
    """What ``_rows`` gave, as it was."""
    n, channels, height, width = like.shape
    return rows.to(like.dtype).view(n, height, width, channels).permute(0, 3, 1, 2)


def _over_groups(values: Tensor, groups: int) -> Tensor:
    """The mean over each group of values [n, channels], for each of its channels."""
    each = values.unflatten(1, (groups, -1))
    return each.mean(2, keepdim=True).expand_as(each).flatten(1)


class LeanGroupNorm(nn.GroupNorm):
    """A group norm that computes in float32."""

    def forward(self, x: Tensor) -> Tensor:
        grows = x.requires_grad and torch.is_grad_enabled()
        if grows or x.shape[2] * x.shape[3] < SLOW_BELOW:
            normed: Tensor = _GroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)
            return normed
        return super().forward(x)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it is in bfloat16 on a CPU."""
        return is_half_on_cpu(block.weight)


class _Geglu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        value, gate = both.chunk(2, dim=-1)
        gate = gate.contiguous()
        opened = F.gelu(gate)
        ctx.save_for_backward(both, gate, opened)
        return value * opened

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        both, gate, opened = ctx.saved_tensors
        value, _ = both.chunk(2, dim=-1)
        return torch.cat((grad * opened, torch.ops.aten.gelu_backward(grad * value, gate)), dim=-1)


def geglu(both: Tensor) -> Tensor:
    """``value * gelu(gate)`` of both halves of the last dimension (Shazeer 2020, arXiv 2002.05202)."""
    if both.requires_grad and torch.is_grad_enabled():
        found: Tensor = _Geglu.apply(both)
        return found
    value, gate = both.chunk(2, dim=-1)
    return F.gelu(gate.contiguous()).mul_(value)  # gelu is twice as fast on neighbouring numbers


class _Attention(torch.autograd.Function):
    """Keeps the attention weights for the gradient: 2 bytes for each pair of tokens and head."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        ctx.heads = heads
        out, weights = _attend(query, key, value, heads, keep=True)
        ctx.save_for_backward(query, key, value, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        query, key, value, *weights = ctx.saved_tensors
        grads = tuple(torch.empty_like(one) for one in (query, key, value))
        parts = _parts(ctx.heads, key.shape[1], query, key, value, grad, *grads)
        for p, (q, k, v, g, to_q, to_k, to_v) in zip(weights, parts, strict=True):
            scale = q.shape[-1] ** -0.5
            g, q = _flat(g), _flat(q)
            to_v.copy_(torch.bmm(p.transpose(1, 2), g).view(to_v.shape))
            change = torch._softmax_backward_data(torch.bmm(g, _flat(v).transpose(1, 2)), p, -1, p.dtype)
            to_q.copy_(torch.bmm(change, _flat(k)).mul_(scale).view(to_q.shape))
            to_k.copy_(torch.bmm(change.transpose(1, 2), q).mul_(scale).view(to_k.shape))
        return *grads, None


def attention(query: Tensor, key: Tensor, value: Tensor, *, heads: int) -> Tensor:
    """``softmax(q k^T / sqrt(d)) v`` of each head: [n, tokens, heads * d].

    The query is [n, tokens, heads * d], key and value are [n, m, heads * d].
    """
    if not is_half_on_cpu(query) or heads * query.shape[1] * key.shape[1] > MOST:
        split = [one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (query, key, value)]
        return F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
    return attention_in_parts(query, key, value, heads)


def attention_in_parts(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """``attention`` as plain products, of as many pictures at a time as fit into a CPU's cache."""
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        found: Tensor = _Attention.apply(query, key, value, heads)
        return found
    return _attend(query, key, value, heads, keep=False)[0]


def _attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    out, kept = torch.empty_like(query), []
    for q, k, v, to in _parts(heads, key.shape[1], query, key, value, out):
        scores = torch.bmm(_flat(q * q.shape[-1] ** -0.5), _flat(k).transpose(1, 2))
        even = scores.shape[-1] % EVEN == 0
        weights = torch.softmax(scores, dim=-1, dtype=None if even else torch.float32).to(scores.dtype)
        to.copy_(torch.bmm(weights, _flat(v)).view(to.shape))
        if keep:
            kept.append(weights)
    return out, kept


def _parts(heads: int, keys: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors [n, tokens, heads * d] as views [some, heads, tokens, d] of a few pictures at a time."""
    split = [one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in tensors]
    some = max(1, AT_ONCE // (heads * tensors[0].shape[1] * keys))
    return zip(*(one.split(some) for one in split), strict=True)


def _flat(part: Tensor) -> Tensor:
    return part.reshape(-1, *part.shape[2:])
