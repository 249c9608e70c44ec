"""Triton's kernels for what torch does slowly on a GPU; it is imported only there.

Pictures are [n, h, w, channels] in memory (channels last), vectors [rows, width]. All arithmetic is float32; what is
read and written has any type. A kernel's programs do tiles of ROWS places and CHANNELS channels.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS, CHANNELS = 64, 64
MOST_CHUNKS = 64  # of ROWS places, of a picture
MOST_EACH = 128  # channels of a group


@triton.jit
def _tile(places, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Where this program's tile is, its channels, and which of them and of the places there are."""
    chunk, block, picture = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    rows = chunk * ROWS + tl.arange(0, ROWS)
    own = block * CHANNELS + tl.arange(0, CHANNELS)
    at = (picture * places + rows)[:, None] * channels + own[None, :]
    return at, own, (rows < places)[:, None] & (own < channels)[None, :]


@triton.jit
def _silu_slope(z):
    s = tl.sigmoid(z)
    return s * (1 + z * (1 - s))


@triton.jit
def _moments(x, found, places, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Mean and variance of each channel in this tile: found [pictures, chunks, 2, channels]."""
    at, own, there = _tile(places, channels, ROWS, CHANNELS)
    values = tl.load(x + at, mask=there, other=0).to(tl.float32)
    count = tl.minimum(places - tl.program_id(0) * ROWS, ROWS)
    mean = tl.sum(values, 0) / count
    away = tl.where(there, values - mean[None, :], 0)
    variance = tl.sum(away * away, 0) / count
    place = (tl.program_id(2) * tl.num_programs(0) + tl.program_id(0)) * 2 * channels + own
    tl.store(found + place, mean, mask=own < channels)
    tl.store(found + place + channels, variance, mask=own < channels)


@triton.jit
def _group(found, chunks, channels, each, CHUNKS: tl.constexpr, EACH: tl.constexpr):
    """Both values of each chunk [CHUNKS, EACH] of this program's group, which of them there are, and its channels."""
    picture, group = tl.program_id(0), tl.program_id(1)
    chunk, within = tl.arange(0, CHUNKS), tl.arange(0, EACH)
    own = group * each + within
    there = (chunk < chunks)[:, None] & (within < each)[None, :]
    at = found + (picture * chunks + chunk)[:, None] * 2 * channels + own[None, :]
    first, second = tl.load(at, mask=there, other=0), tl.load(at + channels, mask=there, other=0)
    return first, second, there, own, within < each


@triton.jit
def _scales(
    found, weight, bias, scales, groups, chunks, channels, each, eps, CHUNKS: tl.constexpr, EACH: tl.constexpr
):
    """Of a group: its mean and 1 / deviation [pictures, groups, 2]; of its channels: scale and shift
    [pictures, 2, channels], so that the norm of x is scale * x + shift. Chunks have equally many places.
    """
    means, variances, there, own, ours = _group(found, chunks, channels, each, CHUNKS, EACH)
    count = chunks * each
    mean = tl.sum(tl.sum(means, 1), 0) / count
    away = tl.where(there, means - mean, 0)
    variance = (tl.sum(tl.sum(variances, 1), 0) + tl.sum(tl.sum(away * away, 1), 0)) / count
    inverse = 1 / tl.sqrt(variance + eps)
    place = (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)) * 2
    tl.store(groups + place, mean)
    tl.store(groups + place + 1, inverse)
    scale = tl.load(weight + own, mask=ours, other=0).to(tl.float32) * inverse
    shift = tl.load(bias + own, mask=ours, other=0).to(tl.float32) - mean * scale
    place = tl.program_id(0) * 2 * channels + own
    tl.store(scales + place, scale, mask=ours)
    tl.store(scales + place + channels, shift, mask=ours)


@triton.jit
def _scaled(x, scales, y, places, channels, SILU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """y = scale * x + shift, or SiLU of it."""
    at, own, there = _tile(places, channels, ROWS, CHANNELS)
    place = scales + tl.program_id(2) * 2 * channels + own
    scale = tl.load(place, mask=own < channels, other=0)
    shift = tl.load(place + channels, mask=own < channels, other=0)
    z = tl.load(x + at, mask=there, other=0).to(tl.float32) * scale[None, :] + shift[None, :]
    if SILU:
        z = z * tl.sigmoid(z)
    tl.store(y + at, z, mask=there)


@triton.jit
def _slopes(x, g, scales, at, own, there, channels, SILU: tl.constexpr):
    """x of a tile, the gradient of its norm before SiLU, and its scales."""
    place = scales + tl.program_id(2) * 2 * channels + own
    scale = tl.load(place, mask=own < channels, other=0)
    shift = tl.load(place + channels, mask=own < channels, other=0)
    values = tl.load(x + at, mask=there, other=0).to(tl.float32)
    slope = tl.load(g + at, mask=there, other=0).to(tl.float32)
    if SILU:
        slope = slope * _silu_slope(values * scale[None, :] + shift[None, :])
    return values, slope, scale


@triton.jit
def _sums(
    x, g, scales, found, places, channels, SILU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr
):
    """Of each channel in this tile, the sums of the gradient s and of s x: found [pictures, chunks, 2, channels]."""
    at, own, there = _tile(places, channels, ROWS, CHANNELS)
    values, slope, _ = _slopes(x, g, scales, at, own, there, channels, SILU)
    place = (tl.program_id(2) * tl.num_programs(0) + tl.program_id(0)) * 2 * channels + own
    tl.store(found + place, tl.sum(slope, 0), mask=own < channels)
    tl.store(found + place + channels, tl.sum(slope * values, 0), mask=own < channels)


@triton.jit
def _terms(
    found, weight, groups, terms, places, chunks, channels, each, CHUNKS: tl.constexpr, EACH: tl.constexpr
):
    """Of a group: a and b [pictures, groups, 2] of dL/dx = scale s - a - b x.

    With m = mean of w s, and k = mean of w s (x - mean) / deviation: b = k / deviation^2, a = m / deviation - b mean.
    """
    sums, products, _, own, ours = _group(found, chunks, channels, each, CHUNKS, EACH)
    weights = tl.load(weight + own, mask=ours, other=0).to(tl.float32)
    place = (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)) * 2
    mean, inverse = tl.load(groups + place), tl.load(groups + place + 1)
    count = places * each
    m = tl.sum(tl.sum(sums, 0) * weights, 0) / count
    k = (tl.sum(tl.sum(products, 0) * weights, 0) / count - mean * m) * inverse
    b = k * inverse * inverse
    tl.store(terms + place, m * inverse - b * mean)
    tl.store(terms + place + 1, b)


@triton.jit
def _turned_back(
    x,
    g,
    scales,
    terms,
    given,
    places,
    channels,
    groups,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """dL/dx = scale s - a - b x."""
    at, own, there = _tile(places, channels, ROWS, CHANNELS)
    values, slope, scale = _slopes(x, g, scales, at, own, there, channels, SILU)
    place = terms + (tl.program_id(2) * groups + own // (channels // groups)) * 2
    a = tl.load(place, mask=own < channels, other=0)
    b = tl.load(place + 1, mask=own < channels, other=0)
    tl.store(given + at, scale[None, :] * slope - a[None, :] - b[None, :] * values, mask=there)


def _normed(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The norm, and what its gradient needs: moments [n, groups, 2] and scales [n, 2, channels]."""
    n, chunks, channels, places = _sizes(x)
    floats: dict[str, Any] = {"device": x.device, "dtype": torch.float32}
    found = torch.empty(n, chunks, 2, channels, **floats)
    moments, scales = torch.empty(n, groups, 2, **floats), torch.empty(n, 2, channels, **floats)
    y = torch.empty_like(x)
    tiles, shape = (chunks, triton.cdiv(channels, CHANNELS), n), {"ROWS": ROWS, "CHANNELS": CHANNELS}
    each = channels // groups
    most = _powers(chunks, each)
    _moments[tiles](x, found, places, channels, **shape)
    _scales[n, groups](found, weight, bias, scales, moments, chunks, channels, each, eps, **most)
    _scaled[tiles](x, scales, y, places, channels, SILU=silu, **shape)
    return y, moments, scales


@torch.library.custom_op("stickersmith::normed", mutates_args=())
def normed(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    """``GroupNorm`` without a gradient, as one operation for torch's compiler."""
    return _normed(x, weight, bias, groups, eps, silu)[0]


@normed.register_fake
def _like_its_input(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
    return torch.empty_like(x)


class GroupNorm(torch.autograd.Function):
    """A group norm of pictures x [n, channels, h, w] whose channels are last, and SiLU of it if asked for.

    In bytes of bfloat16: forward 6 a value, backward 10. Weights and biases get no gradients.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
    ) -> Tensor:
        y, moments, scales = _normed(x, weight, bias, groups, eps, silu)
        ctx.save_for_backward(x, weight, moments, scales)
        ctx.sizes, ctx.groups, ctx.silu = _sizes(x), groups, silu
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        x, weight, moments, scales = ctx.saved_tensors
        n, chunks, channels, places = ctx.sizes
        g = g.contiguous(memory_format=torch.channels_last)
        found = torch.empty(n, chunks, 2, channels, device=x.device, dtype=torch.float32)
        terms, given = torch.empty_like(moments), torch.empty_like(x)
        tiles, shape = (chunks, triton.cdiv(channels, CHANNELS), n), {"ROWS": ROWS, "CHANNELS": CHANNELS}
        each = channels // ctx.groups
        most = _powers(chunks, each)
        _sums[tiles](x, g, scales, found, places, channels, SILU=ctx.silu, **shape)
        _terms[n, ctx.groups](found, weight, moments, terms, places, chunks, channels, each, **most)
        _turned_back[tiles](x, g, scales, terms, given, places, channels, ctx.groups, SILU=ctx.silu, **shape)
        return given, None, None, None, None, None


def _sizes(x: Tensor) -> tuple[int, int, int, int]:
    """Pictures, chunks, channels, places of a picture."""
    n, channels, height, width = x.shape
    return n, triton.cdiv(height * width, ROWS), channels, height * width


def _powers(chunks: int, each: int) -> dict[str, int]:
    return {"CHUNKS": triton.next_power_of_2(chunks), "EACH": triton.next_power_of_2(each)}


def takes(x: Tensor, groups: int) -> bool:
    """Whether ``GroupNorm`` takes these pictures: chunks of equal size, not too many."""
    places = x.shape[2] * x.shape[3]
    last = x.is_contiguous(memory_format=torch.channels_last)
    equal = places <= ROWS or places % ROWS == 0
    return last and equal and places <= ROWS * MOST_CHUNKS and x.shape[1] // groups <= MOST_EACH


@triton.jit
def _gate(x, y, width, BLOCK: tl.constexpr):
    """y [rows, width] = a gelu(b) of x = (a, b) [rows, 2 * width]."""
    row, own = tl.program_id(0), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there, at = own < width, row.to(tl.int64) * width + own
    a = tl.load(x + at + row.to(tl.int64) * width, mask=there, other=0).to(tl.float32)
    b = tl.load(x + at + (row.to(tl.int64) + 1) * width, mask=there, other=0).to(tl.float32)
    tl.store(y + at, a * b * 0.5 * (1 + tl.erf(b * 0.7071067811865476)), mask=there)


@triton.jit
def _gate_back(x, g, given, width, BLOCK: tl.constexpr):
    """dL/dx of ``_gate``: gelu(b) = b P(b), gelu'(b) = P(b) + b p(b), with the normal distribution P, its density p."""
    row, own = tl.program_id(0), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there, at = own < width, row.to(tl.int64) * width + own
    first, second = at + row.to(tl.int64) * width, at + (row.to(tl.int64) + 1) * width
    a = tl.load(x + first, mask=there, other=0).to(tl.float32)
    b = tl.load(x + second, mask=there, other=0).to(tl.float32)
    slope = tl.load(g + at, mask=there, other=0).to(tl.float32)
    share = 0.5 * (1 + tl.erf(b * 0.7071067811865476))
    tl.store(given + first, slope * b * share, mask=there)
    density = tl.exp(-0.5 * b * b) * 0.3989422804014327
    tl.store(given + second, slope * a * (share + b * density), mask=there)


class Gate(torch.autograd.Function):
    """a gelu(b) of x = (a, b) [..., 2 * width], contiguous."""

    BLOCK = 1024

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        width = x.shape[-1] // 2
        y = x.new_empty(*x.shape[:-1], width)
        _gate[y.numel() // width, triton.cdiv(width, Gate.BLOCK)](x, y, width, BLOCK=Gate.BLOCK)
        ctx.save_for_backward(x)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        g, given, width = g.contiguous(), torch.empty_like(x), x.shape[-1] // 2
        _gate_back[g.numel() // width, triton.cdiv(width, Gate.BLOCK)](x, g, given, width, BLOCK=Gate.BLOCK)
        return given
