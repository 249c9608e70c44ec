"""Group norms of pictures whose channels are last, without the copies and the slow kernel that torch's own has there.

Of one picture of 512 px, torch's kernel of the moments keeps 32 of a GPU's processors busy and takes a third of a VAE's
time; two copies to another layout and back take another third.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class PictureNorm(nn.GroupNorm):
    """A group norm that writes x [n, channels, h, w] once and keeps its layout. With gradients it is torch's own."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or torch.is_grad_enabled():
            return super().forward(x)
        scale, shift = scale_and_shift(x, self, [(0, x.shape[2])])
        return torch.addcmul(shift, x.float(), scale).to(x.dtype)


def use_picture_norms(network: nn.Module) -> None:
    """Replace the group norms of a network; they keep their weights."""
    for parent in list(network.modules()):
        for name, norm in parent.named_children():
            if type(norm) is nn.GroupNorm:
                setattr(parent, name, _of(norm))


def _of(norm: nn.GroupNorm) -> PictureNorm:
    like: dict[str, Any] = {"device": norm.weight.device, "dtype": norm.weight.dtype}
    made = PictureNorm(norm.num_groups, norm.num_channels, norm.eps, **like)
    made.weight, made.bias = norm.weight, norm.bias
    return made.train(norm.training)


def scale_and_shift(x: Tensor, norm: nn.GroupNorm, bands: Iterable[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Scale and shift [n, channels, 1, 1], float32, so that the norm of x is scale * x + shift.

    Mean and variance of bands of equal size (first row, end) give those of the whole:
    var = mean(var_b) + var(mean_b).
    """
    found = [
        torch.var_mean(
            x[:, :, start:end].float().unflatten(1, (norm.num_groups, -1)), (2, 3, 4), correction=0
        )
        for start, end in bands
    ]
    variances, means = (torch.stack(values) for values in zip(*found, strict=True))
    variance = variances.mean(0) + means.var(0, correction=0)
    each = x.shape[1] // norm.num_groups
    deviation, mean = (
        value.repeat_interleave(each, 1) for value in ((variance + norm.eps).sqrt(), means.mean(0))
    )
    scale = norm.weight.float() / deviation
    return scale[..., None, None], (norm.bias.float() - mean * scale)[..., None, None]
