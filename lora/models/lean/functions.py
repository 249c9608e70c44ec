"""What lean blocks compute with their own gradients: group norm, GEGLU and attention in bfloat16 on a CPU.

torch computes the gradient of its attention three times as slowly as the products that it consists of. Weights of norms
get no gradient: those of a base are never trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        out, kept = attend(query, key, value, heads)
        ctx.save_for_backward(*kept)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        kept = ctx.saved_tensors
        grads = [grad.new_empty(len(grad), one.shape[1], grad.shape[2]) for one in kept[:3]]
        attend_back(kept, grad, ctx.heads, grads)
        return *grads, None


def attention(query: Tensor, key: Tensor, value: Tensor, *, heads: int) -> Tensor:
    """``softmax(q k^T / sqrt(d)) v`` of each head: [n, tokens, heads * d].

    The query is [n, tokens, heads * d], key and value are [n, m, heads * d].
    """
    if not is_in_parts(query, key, heads):
        split = [one.unflatten(-1, (heads, -1)).transpose(1, 2) for one in (query, key, value)]
        return F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
    return attention_in_parts(query, key, value, heads)


def is_in_parts(query: Tensor, key: Tensor, heads: int) -> bool:
    """Whether ``attention`` of vectors [n, tokens, ...] is plain products: bfloat16 on a CPU, not too many weights."""
    return is_half_on_cpu(query) and heads * query.shape[1] * key.shape[1] <= MOST


def attention_in_parts(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """``attention`` as plain products, of as many pictures at a time as fit into a CPU's cache."""
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        found: Tensor = _Attention.apply(query, key, value, heads)
        return found
    return attend(query, key, value, heads, keep=False)[0]


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, keep: bool = True
) -> tuple[Tensor, list[Tensor]]:
    """``attention_in_parts``, and what ``attend_back`` takes: scaled queries, keys, values, then the weights."""
    q, k, v = _by_head(query, heads, query.shape[-1] // heads), _by_head(key, heads), _by_head(value, heads)
    by_head, kept = torch.empty_like(q), [q, k, v]
    for some_q, some_k, some_v, to in _parts(heads, q, k, v, by_head):
        weights = torch.bmm(some_q, some_k.transpose(1, 2))
        if weights.shape[-1] % EVEN == 0:
            torch._softmax(weights, -1, False, out=weights)  # in place: new memory is not in the cache
        else:
            weights = torch.softmax(weights, dim=-1, dtype=torch.float32).to(weights.dtype)
        torch.bmm(weights, some_v, out=to)
        if keep:
            kept.append(weights)
    out = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    _by_token(by_head, heads, out)
    return out, kept


def attend_back(kept: Sequence[Tensor], grad: Tensor, heads: int, to: Sequence[Tensor]) -> None:
    """Write the gradients of ``attend`` for queries, keys and values to three tensors."""
    q, k, v, *weights = kept
    g, grads = _by_head(grad, heads), [torch.empty_like(one) for one in (q, k, v)]
    for p, (some_q, some_k, some_v, some_g, to_q, to_k, to_v) in zip(
        weights, _parts(heads, q, k, v, g, *grads), strict=True
    ):
        torch.bmm(p.transpose(1, 2), some_g, out=to_v)
        change = torch.bmm(some_g, some_v.transpose(1, 2))
        torch._softmax_backward_data(change, p, -1, p.dtype, grad_input=change)  # in place, too
        torch.bmm(change, some_k, out=to_q)
        torch.bmm(change.transpose(1, 2), some_q, out=to_k)
    grads[0].mul_(q.shape[-1] ** -0.5)
    for one, place in zip(grads, to, strict=True):
        _by_token(one, heads, place)


def _by_head(x: Tensor, heads: int, scaled_by: int = 1) -> Tensor:
    """x [n, tokens, heads * d] / sqrt(scaled_by) as [n * heads, tokens, d]: neighbours are multiplied faster."""
    split = x.unflatten(-1, (heads, -1)).transpose(1, 2)
    made = torch.empty(split.shape, dtype=x.dtype, device=x.device)
    if scaled_by == 1:
        made.copy_(split)
    else:
        torch.mul(split, scaled_by**-0.5, out=made)
    return made.flatten(0, 1)


def _by_token(x: Tensor, heads: int, to: Tensor) -> None:
    """Write x [n * heads, tokens, d] to [n, tokens, heads * d]."""
    to.unflatten(-1, (heads, -1)).copy_(x.unflatten(0, (-1, heads)).transpose(1, 2))


def _parts(heads: int, q: Tensor, k: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Tensors [n * heads, ...] of a few pictures at a time."""
    some = heads * max(1, AT_ONCE // (heads * q.shape[1] * k.shape[1]))
    return zip(*(one.split(some) for one in (q, k, *others)), strict=True)
