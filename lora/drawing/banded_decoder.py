"""Decodes with less memory: the decoder's largest layers work on bands of rows, and give the whole picture's result.

A convolution needs one row more above and below its band. A group norm needs mean and variance of the whole picture,
which are computed first. So nothing is blended, and a picture is the same within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora.models.picture_norm import scale_and_shift

ROWS = 64  # of a band, of what a layer gives


def compute_in_bands(decoder: Any) -> None:
    """Change the layers after the middle block of diffusers' ``Decoder``; its results stay the same."""
    for block in decoder.up_blocks:
        for number, resnet in enumerate(block.resnets):
            block.resnets[number] = BandedResnet(resnet)
        for number, upsampler in enumerate(block.upsamplers or ()):
            block.upsamplers[number] = BandedUpsampler(upsampler.conv)
    decoder.conv_out = BandedOutput(decoder.conv_norm_out, decoder.conv_out)
    decoder.conv_norm_out = decoder.conv_act = nn.Identity()


class BandedResnet(nn.Module):
    """diffusers' ``ResnetBlock2D`` as a decoder has it: no time embedding, SiLU, no change of size.

    h = conv1(silu(norm1(x))); y = conv2(silu(norm2(h))) + shortcut(x)
    """

    def __init__(self, resnet: Any) -> None:
        super().__init__()
        self.norm1, self.conv1 = resnet.norm1, resnet.conv1
        self.norm2, self.conv2 = resnet.norm2, resnet.conv2
        self.conv_shortcut = resnet.conv_shortcut

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        y = _normed(_normed(x, self.norm1, self.conv1), self.norm2, self.conv2)
        for start, end in _bands(x.shape[2]):
            own = x[:, :, start:end]
            y[:, :, start:end] += own if self.conv_shortcut is None else self.conv_shortcut(own)
        return y


class BandedUpsampler(nn.Module):
    """Twice as many rows and columns, each value four times, then a 3x3 convolution."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, output_size: int | None = None) -> Tensor:
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        y = _room(x, self.conv.out_channels, height, width)
        for start, end in _bands(height):
            first, last = max(0, start // 2 - 1), min(x.shape[2], end // 2 + 1)
            larger = F.interpolate(x[:, :, first:last], scale_factor=2.0, mode="nearest")
            above, below = (
                start - 1 - 2 * first,
                end + 1 - 2 * first,
            )  # rows of ``larger`` that the band needs
            y[:, :, start:end] = _convolved(
                larger[:, :, max(0, above) : below], self.conv, start, end, height
            )
        return y


class BandedOutput(nn.Module):
    """The decoder's last norm, SiLU and convolution."""

    def __init__(self, norm: nn.GroupNorm, conv: nn.Conv2d) -> None:
        super().__init__()
        self.norm, self.conv = norm, conv
        self.out_channels = conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        return _normed(x, self.norm, self.conv)


def _normed(x: Tensor, norm: nn.GroupNorm, conv: nn.Conv2d) -> Tensor:
    """conv(silu(norm(x))) of x [n, channels, h, w] for a 3x3 convolution."""
    height = x.shape[2]
    scale, shift = scale_and_shift(x, norm, _bands(height))
    y = _room(x, conv.out_channels, height, x.shape[3])
    for start, end in _bands(height):
        own = torch.addcmul(shift, x[:, :, max(0, start - 1) : end + 1].float(), scale)
        y[:, :, start:end] = _convolved(F.silu(own, inplace=True).to(x.dtype), conv, start, end, height)
    return y


def _convolved(rows: Tensor, conv: nn.Conv2d, start: int, end: int, height: int) -> Tensor:
    """A 3x3 convolution of a band with its neighbouring rows; at the picture's edges zeros take their place."""
    padded = F.pad(rows, (0, 0, int(start == 0), int(end == height)))
    return F.conv2d(padded, conv.weight, conv.bias, padding=(0, 1))


def _bands(height: int) -> Iterator[tuple[int, int]]:
    """First row and end of bands of equal size."""
    rows = ROWS if height % ROWS == 0 else height
    return ((start, start + rows) for start in range(0, height, rows))


def _room(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    return torch.empty(
        (len(x), channels, height, width),
        device=x.device,
        dtype=x.dtype,
        memory_format=torch.channels_last,
    )
