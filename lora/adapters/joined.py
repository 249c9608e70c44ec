"""Layers of an attention that see the same vectors, computed as one while adapters are trained.

They are the queries, keys and values of a self-attention, and the keys and values of a text. With J such layers the
weights stand one below the other, W [J * out, in], and so do the lower halves of their adapters, down [J * rank, in]:

    low = down x,    y_j = W_j x + scale * up_j low_j

A training step then reads x once instead of J times, and launches fewer kernels. The result is that of ``SlottedLayer``
within rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lora.adapters.slot_layout import Place
from lora.adapters.slots import (
    JOINED,
    SlottedDenoiser,
    SlottedLayer,
    add_product,
    grouped,
    product,
    scaled,
    summed_products,
)
from lora.models.lean.blocks import LeanAttention

NAMES = {
    "attn1": JOINED,
    "attn2": JOINED[1:],
}  # of the layers that see the same vectors, by the attention's name


class JoinedLayers:
    """J linear layers without biases as one.

    Its halves are down [groups, J * rank, in] and up [groups, J, out, rank].
    """

    def __init__(self, layers: Sequence[SlottedLayer]) -> None:
        self.weight = torch.cat([one.layer.weight.detach() for one in layers])
        self.scale = 1.0
        self.down: Tensor = self.weight.new_empty(0)
        self.up: Tensor = self.weight.new_empty(0)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """What each layer makes of vectors x [..., in], in the groups' order: J times [..., out]."""
        found = _JoinedHalves.apply(x.reshape(-1, x.shape[-1]), self.weight, self.down, self.up, self.scale)
        return tuple(one.unflatten(0, x.shape[:-1]) for one in found)


class TrainedAttention(LeanAttention):
    """An attention that asks ``layers`` for what they compute; while there are none, each layer by itself."""

    def __init__(self) -> None:
        self.layers: JoinedLayers | None = None

    def projected(self, attn: Any, x: Tensor, text: Tensor) -> Sequence[Tensor]:
        if self.layers is None:
            return super().projected(attn, x, text)
        found = self.layers(text)  # of a self-attention, x
        return found if len(found) == len(JOINED) else (attn.to_q(x), *found)


def join(denoiser: SlottedDenoiser) -> dict[TrainedAttention, tuple[Place, ...]]:
    """Let lean attentions compute with joined layers where they may; the places of the layers that each would join."""
    found = {}
    places = {place.path: place for place in denoiser.layout.places}
    for path, module in denoiser.unet.named_modules():
        names = NAMES.get(path.rpartition(".")[2])
        if names is None or not isinstance(module.processor, LeanAttention):
            continue
        some = tuple(places[f"{path}.{name}"] for name in names if f"{path}.{name}" in places)
        if len(some) == len(names) and _may_join(some, [denoiser.layers[one.path].layer for one in some]):
            module.set_processor(processor := TrainedAttention())
            found[processor] = some
    return found


class TrainedHalves:
    """The halves of the adapters that a denoiser's layers are trained with. Those of joined layers are one each."""

    def __init__(
        self, denoiser: SlottedDenoiser, joined: Mapping[TrainedAttention, tuple[Place, ...]]
    ) -> None:
        self._denoiser = denoiser
        self._joined = {
            attention: JoinedLayers([denoiser.layers[place.path] for place in places])
            for attention, places in joined.items()
        }
        inside = {place.path for places in joined.values() for place in places}
        alone = [place for place in denoiser.layout.places if place.path not in inside]
        self._places = [*map(joined_place, joined.values()), *alone]
        self._layers: list[JoinedLayers | SlottedLayer] = [
            *self._joined.values(),
            *(denoiser.layers[place.path] for place in alone),
        ]

    def of(self, flat: Tensor) -> list[Tensor]:
        """Views of flat [n, size]: the lower and the upper half of each, [n, ...]."""
        return halves_of(flat, self._places)

    @contextmanager
    def bound(self, flat: Tensor, scale: float) -> Iterator[list[Tensor]]:
        """Within it, the layers compute with the halves in flat [groups, size], of which gradients are asked.

        Yields these leaves, in the order of ``of``.
        """
        leaves = [half.detach().requires_grad_() for half in self.of(flat)]
        for layer, down, up in zip(self._layers, leaves[::2], leaves[1::2], strict=True):
            layer.down, layer.up, layer.scale = down, up, scale
        self._denoiser.use_groups(len(flat), scale)
        for attention, layers in self._joined.items():
            attention.layers = layers
        try:
            yield leaves
        finally:
            for attention in self._joined:
                attention.layers = None


def halves_of(flat: Tensor, places: Iterable[Place]) -> list[Tensor]:
    """Views of flat [n, size]: the lower and the upper half of each place, [n, ...]."""
    return [half for place in places for half in (place.down_of(flat), place.up_of(flat))]


def _may_join(places: Sequence[Place], layers: Sequence[nn.Module]) -> bool:
    """Whether they are linear layers of one shape without biases, whose halves are neighbours in the flat tensor."""
    if not all(type(layer) is nn.Linear and layer.bias is None for layer in layers):
        return False
    alike = len({(place.down, place.up) for place in places}) == 1
    pairs = list(itertools.pairwise(places))
    downs = all(b.down_start - a.down_start == math.prod(a.down) for a, b in pairs)
    ups = all(b.up_start - a.up_start == math.prod(a.up) for a, b in pairs)
    return alike and downs and ups


def joined_place(places: Sequence[Place]) -> Place:
    """Where the halves of neighbours lie as one: down [J * rank, in] and up [J, out, rank]."""
    first, count = places[0], len(places)
    rank, width = first.down
    return Place(
        path=first.path,
        down=(count * rank, width),
        up=(count, *first.up),
        down_start=first.down_start,
        up_start=first.up_start,
    )


class _JoinedHalves(torch.autograd.Function):
    """The formulas of this module for vectors x [groups * each, in]; the weights get no gradients.

    With g_j = dL/dy_j and l_j = scale * up_j^T g_j: dL/dx = sum_j W_j^T g_j + down^T l, each added where the
    sum is.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, down: Tensor, up: Tensor, scale: float
    ) -> tuple[Tensor, ...]:
        y = F.linear(x, weight)
        low = product(x, down.transpose(1, 2))
        count, rank = up.shape[1], up.shape[3]
        parts, lows = y.unflatten(1, (count, -1)), low.unflatten(1, (count, rank))
        if len(up) == 1:
            parts.transpose(0, 1).baddbmm_(lows.transpose(0, 1), up[0].transpose(1, 2), alpha=scale)
        else:
            for part, one, own in zip(parts.unbind(1), lows.unbind(1), up.unbind(1), strict=True):
                grouped(part, len(up)).baddbmm_(grouped(one, len(up)), own.transpose(1, 2), alpha=scale)
        ctx.save_for_backward(x, weight, down, up, low)
        ctx.scale = scale
        return parts.unbind(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        x, weight, down, up, low = ctx.saved_tensors
        groups, count, _, rank = up.shape
        low_g, up_g, given = torch.empty_like(low), torch.empty_like(up), None
        lows, low_gs = low.unflatten(1, (count, rank)).unbind(1), low_g.unflatten(1, (count, rank)).unbind(1)
        for number, (g, own) in enumerate(zip(grads, weight.chunk(count), strict=True)):
            product(g, up[:, number], out=low_gs[number])
            summed_products(g, lows[number], groups, out=up_g[:, number])
            if ctx.needs_input_grad[0]:
                given = g @ own if given is None else given.addmm_(g, own)
        if given is not None:
            add_product(given, low_g, down, ctx.scale)
        down_g = summed_products(low_g, x, groups)
        return given, None, scaled(down_g, ctx.scale), scaled(up_g, ctx.scale), None
