"""LoRA slots: a denoiser that holds several adapters at once and uses another one for each picture of a batch.

A slotted layer computes, for the group i of its batch (one picture, or the pictures of one training),

    y_i = W x_i + b + scale * up_i (down_i x_i)

with the stacked halves down [groups, rank, in] and up [groups, out, rank] in one batched product, or with weights
W_i = W + scale * up_i down_i that were added up once for all steps of the batch: that reads more weights in each step,
and writes no activation twice. All layers' halves lie in one flat tensor: an adapter is one memory copy, and choosing
adapters for a batch is one gather. Nothing is built, compiled or captured anew for another adapter. Tests compare both
forms with PEFT (``lora_layers``).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from lora.adapters.slot_layout import Layout, Place
from lora.adapters.targets import TARGETS

JOINED = ("to_q", "to_k", "to_v")  # of a self-attention: they see the same vectors
ALIGNED = 8  # elements: halves begin at multiples of 16 bytes, as the matrix units want it


class SlottedLayer(nn.Module):
    """A linear layer or a convolution of the base with stacked halves of adapters beside it.

    ``down`` is [groups, rank, in] or [groups, rank, in, k, k], ``up`` [groups, out, rank]; the batch is as many groups
    of equal size, in order. ``merged`` holds weights to use instead of halves: [1, out, in] for all groups, or
    [groups, out, in]; of a convolution [..., out, in, k, k].
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        self.groups = 0
        self.rows = 0  # vectors of one picture that the layer multiplies, see ``SlottedDenoiser.count_rows``
        self.scale = 1.0
        self.down: Tensor = layer.weight.new_empty(0)
        self.up: Tensor = layer.weight.new_empty(0)
        self.merged: Tensor | None = None
        self.joined: Tensor | None = None  # of the first of JOINED: the merged weights of all three

    def forward(self, x: Tensor) -> Tensor:
        if self.merged is not None:
            return with_weights(x, self.merged, self.layer)
        if not self.groups:
            return self._plain(x, self.layer.weight)
        if isinstance(self.layer, nn.Conv2d):
            return self._plain(x, self.layer.weight) + self._convolved(x, self.layer)
        return self._with_halves(x, self._own(self.down), self._own(self.up)).view(*x.shape[:-1], -1)

    def _own(self, halves: Tensor) -> Tensor:
        """Those of the batch's groups. A slice of all of them would cost a copy in the backward pass."""
        return halves if len(halves) == self.groups else halves[: self.groups]

    def _with_halves(self, x: Tensor, down: Tensor, up: Tensor) -> Tensor:
        """The layer's vectors, in the groups' order. The compiler adds them up where they are read next."""
        flat = x.reshape(-1, x.shape[-1])
        if not torch.compiler.is_compiling():
            y: Tensor = _Halves.apply(flat, self.layer.weight, self.layer.bias, down, up, self.scale)
            return y
        wide = F.linear(flat, self.layer.weight, self.layer.bias).unflatten(0, (self.groups, -1))
        low = torch.bmm(flat.unflatten(0, (self.groups, -1)), down.transpose(1, 2))
        return wide + self.scale * torch.bmm(low, up.transpose(1, 2))

    @property
    def merging_pays(self) -> bool:
        """Whether a weight of its own for each picture costs less memory traffic than halves.

        A guided picture is two neighbours, so halves read and write an output [2 * rows, out] once more; a merged
        weight [out, in] is read once more.
        """
        return isinstance(self.layer, nn.Linear) and 4 * self.rows > self.layer.in_features

    def merge(self) -> None:
        """Write W + scale * up_i down_i into ``merged[i]``, for as many groups as it has."""
        assert self.merged is not None
        count = len(self.merged)
        weight = self.layer.weight.flatten(1).expand(count, -1, -1)
        up, down = self.up[:count], self.down[:count].flatten(2)
        torch.baddbmm(weight, up, down, alpha=self.scale, out=self.merged.flatten(2))

    def _plain(self, x: Tensor, weight: Tensor) -> Tensor:
        if isinstance(self.layer, nn.Conv2d):
            return self.layer._conv_forward(x, weight, self.layer.bias)
        return F.linear(x, weight, self.layer.bias)

    def _convolved(self, x: Tensor, layer: nn.Conv2d) -> Tensor:
        """What the adapters add to a convolution: groups of channels keep the groups of the batch apart."""
        groups, down, up = self.groups, self.down[: self.groups], self.up[: self.groups]
        apart = x.unflatten(0, (groups, -1)).transpose(0, 1).flatten(1, 2)  # [each, groups * in, h, w]
        assert isinstance(layer.padding, tuple)
        low = F.conv2d(apart, down.flatten(0, 1), None, layer.stride, layer.padding, layer.dilation, groups)
        low = low.unflatten(1, (groups, -1)).transpose(0, 1)  # [groups, each, rank, h, w]
        added = torch.matmul(up[:, None] * self.scale, low.flatten(3))
        return added.unflatten(3, low.shape[3:]).flatten(0, 1)


def with_weights(x: Tensor, weights: Tensor, layer: nn.Linear | nn.Conv2d) -> Tensor:
    """What a layer makes of x with other weights: [1, ...] for the whole batch, or [groups, out, in] for its groups."""
    if isinstance(layer, nn.Conv2d):
        return layer._conv_forward(x, weights[0], layer.bias)
    if len(weights) == 1:
        return F.linear(x, weights[0], layer.bias)
    y = torch.bmm(x.reshape(len(weights), -1, x.shape[-1]), weights.transpose(1, 2))
    if layer.bias is not None:
        y.add_(layer.bias)  # baddbmm would write the bias out before the product, also when compiled
    return y.view(*x.shape[:-1], y.shape[-1])


class _Halves(torch.autograd.Function):
    """W x + b + scale * up_i (down_i x) of vectors x [groups * each, in]; W and b get no gradients.

    With g = dL/dy and l = scale * g up: dL/dx = g W + l down. torch's own backward pass writes both terms and adds them
    in a third pass over memory. Here the second product is added to the first where that is, or both are one product of
    longer vectors (``_appending_pays``).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        low = product(x, down.transpose(1, 2))
        if _appending_pays(x, weight.shape[0], len(down)):
            y = F.linear(torch.cat((x, low), 1), torch.cat((weight, scaled(up[0], scale)), 1), bias)
        else:
            y = F.linear(x, weight, bias)
            add_product(y, low, up.transpose(1, 2), scale)
        ctx.save_for_backward(x, weight, down, up, low)
        ctx.scale = scale
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        x, weight, down, up, low = ctx.saved_tensors
        groups, given, scale = len(down), None, ctx.scale
        low_g = product(g, up)
        if ctx.needs_input_grad[0] and _appending_pays(g, weight.shape[1], groups):
            given = torch.cat((g, low_g), 1) @ torch.cat((weight, scaled(down[0], scale)))
        elif ctx.needs_input_grad[0]:
            given = g @ weight
            add_product(given, low_g, down, scale)
        up_g, down_g = summed_products(g, low, groups), summed_products(low_g, x, groups)
        return given, None, None, scaled(down_g, scale), scaled(up_g, scale), None


def scaled(x: Tensor, scale: float) -> Tensor:
    return x if scale == 1 else x * scale


def _appending_pays(flat: Tensor, out: int, groups: int) -> bool:
    """Whether ``[flat, low] [W, up]^T`` moves less memory than ``flat W^T``, to which ``low up^T`` is added.

    Vectors flat [n, in] and weights [out, in] are then copied, n * in + out * in numbers; the sum would read and write
    n * out.
    """
    count, width = flat.shape
    return groups == 1 and flat.device.type != "cpu" and count * (out - width) > out * width


def grouped(flat: Tensor, groups: int) -> Tensor:
    """Vectors [groups * each, width] as [groups, each, width]."""
    return flat.unflatten(0, (groups, -1))


def product(flat: Tensor, factors: Tensor, out: Tensor | None = None) -> Tensor:
    """Each group's vectors [groups * each, in] times its factor [groups, in, out]: [groups * each, out]."""
    groups = len(factors)
    if groups == 1:
        return torch.mm(flat, factors[0], out=out)
    into = None if out is None else grouped(out, groups)
    return torch.bmm(grouped(flat, groups), factors, out=into).flatten(0, 1)


def summed_products(one: Tensor, other: Tensor, groups: int, out: Tensor | None = None) -> Tensor:
    """For each group, the sum of ``one_v other_v^T`` over its vectors v: [groups, width of one, width of other]."""
    if groups == 1:
        # A batched product does not divide so long a sum among processors.
        return torch.mm(one.T, other, out=None if out is None else out[0]).unsqueeze(0)
    return torch.bmm(grouped(one, groups).transpose(1, 2), grouped(other, groups), out=out)


def add_product(y: Tensor, flat: Tensor, factors: Tensor, scale: float) -> None:
    """y += scale * ``product(flat, factors)``, in place."""
    if len(factors) == 1:
        y.addmm_(flat, factors[0], alpha=scale)
    else:
        grouped(y, len(factors)).baddbmm_(grouped(flat, len(factors)), factors, alpha=scale)


class SlottedDenoiser:
    """A denoiser whose targeted layers are slotted. It shares its weights with the base's, which stays as it is."""

    def __init__(self, unet: Any, *, rank: int, targets: str) -> None:
        self.unet = _shared_copy(unet)
        self.layers: dict[str, SlottedLayer] = {}
        for path, module in list(self.unet.named_modules()):
            if isinstance(module, nn.Linear | nn.Conv2d) and is_target(path, targets):
                self.layers[path] = SlottedLayer(module)
        for path, layer in self.layers.items():
            _replace(self.unet, path, layer)
        self.rank, self.targets = rank, targets
        self.layout = layout_of(self.layers, rank)
        self._use: tuple[int, float, dict[str, Tensor] | None, int] = (0, 1.0, None, 1)

    def bind(self, flat: Tensor) -> None:
        """Let the layers take their halves from flat [groups, size], as views."""
        for place in self.layout.places:
            layer = self.layers[place.path]
            layer.down, layer.up = place.down_of(flat), place.up_of(flat)

    def use_groups(self, groups: int, scale: float = 1.0) -> None:
        """From now on a batch is so many groups with an adapter each; with 0 groups it has no adapters."""
        self._use = groups, scale, None, 1
        for layer in self.layers.values():
            layer.groups, layer.scale, layer.merged, layer.joined = groups, scale, None, None

    def use_merged(self, weights: dict[str, Tensor] | None, count: int = 1) -> None:
        """From now on compute with the first ``count`` of these (``merged_weights``), or with None again with halves.

        One for all groups of a batch, or one for each. A layer that is not among them computes with halves.
        """
        self._use = *self._use[:2], weights, count
        known = weights or {}
        for path, layer in self.layers.items():
            layer.merged = known[path][:count] if path in known else None
            attention = path.removesuffix(f".{JOINED[0]}")
            layer.joined = known[attention][:count] if attention != path and attention in known else None

    def use(self, groups: int, weights: dict[str, Tensor] | None, count: int = 1) -> None:
        """``use_groups`` and ``use_merged``; nothing, if that is so already: to tell SD 2.1's 160 layers takes 2 ms."""
        now_groups, scale, now_weights, now_count = self._use
        if (now_groups, scale, now_count) != (groups, 1.0, count) or now_weights is not weights:
            self.use_groups(groups)
            self.use_merged(weights, count)

    def merged_weights(self, count: int = 1) -> dict[str, Tensor]:
        """Room for weights with adapters added: of all layers for one adapter, for several where that pays.

        By path. Those of a self-attention's JOINED layers are parts of one tensor, by the attention's path.
        """
        found = {
            path: layer.layer.weight.new_empty(count, *layer.layer.weight.shape)
            for path, layer in self.layers.items()
            if count == 1 or layer.merging_pays
        }
        for path in [path.removesuffix(f".{JOINED[0]}") for path in found if path.endswith(f".{JOINED[0]}")]:
            parts = [f"{path}.{name}" for name in JOINED]
            if self._may_join(path, parts) and all(part in found for part in parts):
                found[path] = torch.cat([found[part] for part in parts], 1)
                found.update(zip(parts, found[path].chunk(len(parts), 1), strict=True))
        return found

    def _may_join(self, path: str, parts: list[str]) -> bool:
        """Whether layers see the same vectors, have no bias and give equally many values."""
        layers = [self.layers[part].layer for part in parts]
        alike = len({layer.weight.shape for layer in layers}) == 1
        return path.endswith(".attn1") and alike and all(layer.bias is None for layer in layers)

    def merged_bytes(self, count: int) -> int:
        """What ``merged_weights`` takes."""
        chosen = [layer for layer in self.layers.values() if count == 1 or layer.merging_pays]
        return count * sum(layer.layer.weight.nbytes for layer in chosen)

    @torch.no_grad()
    def count_rows(self, picture: Tensor, text: Tensor) -> None:
        """See how large each layer's input is for a picture [1, channels, h, w] with a text [1, 77, width]."""
        self.use_groups(0)
        hooks = [
            layer.register_forward_pre_hook(
                lambda one, given: setattr(one, "rows", given[0][0, ..., 0].numel())
            )
            for layer in self.layers.values()
        ]
        try:
            self.unet(picture, torch.zeros(1, device=picture.device), encoder_hidden_states=text)
        finally:
            for hook in hooks:
                hook.remove()

    def merge(self) -> None:
        """Write the weights that ``use_merged`` was given: each layer's own with the halves of its groups added."""
        for layer in self.layers.values():
            if layer.merged is not None:
                layer.merge()


def is_target(path: str, targets: str) -> bool:
    """Whether an adapter of these targets (a key of TARGETS) changes the layer at a path, by PEFT's rule."""
    return any(path.endswith(f".{name}") for name in TARGETS[targets])


def _shared_copy(unet: Any) -> Any:
    """Modules of its own with the very parameters of ``unet``, and without PEFT's layers."""
    shared = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    other = copy.deepcopy(unet, shared)
    for path, module in list(other.named_modules()):
        if hasattr(module, "base_layer"):
            _replace(other, path, module.base_layer)
    return other


def _replace(root: Any, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)


def layout_of(layers: dict[str, SlottedLayer], rank: int) -> Layout:
    """Lower halves first, so that one multiplication of the rest gives every picture its strength."""
    downs = {path: (rank, *layer.layer.weight.shape[1:]) for path, layer in layers.items()}
    ups = {path: (layer.layer.weight.shape[0], rank) for path, layer in layers.items()}
    starts, end = _starts(downs, 0)
    up_starts, size = _starts(ups, end)
    places = [
        Place(path=path, down=downs[path], up=ups[path], down_start=starts[path], up_start=up_starts[path])
        for path in layers
    ]
    return Layout(places=tuple(places), ups=end, size=size)


def _starts(shapes: dict[str, Any], start: int) -> tuple[dict[str, int], int]:
    found = {}
    for path, shape in shapes.items():
        found[path] = start
        start += -(-math.prod(shape) // ALIGNED) * ALIGNED
    return found, start
