"""Decodes with less memory: the decoder's largest layers work on bands of rows, and give the whole picture's result.

A convolution needs one row more above and below its band. A group norm needs mean and variance of the whole picture,
which are computed first. So nothing is blended, and a picture is the same within rounding. Convolutions of large layers
may compute in half precision. Residuals, norms and small layers stay float32: that takes a third off the largest error.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora.models.picture_norm import scale_and_shift

ROWS = 64  # of a band, of what a layer gives


def compute_in_bands(decoder: Any, dtype: torch.dtype = torch.float32, *, rows: int | None = None) -> None:
    """Change the layers after the middle block of diffusers' ``Decoder``; its results stay the same.

    Convolutions after the first of ``up_blocks`` compute in ``dtype``. Bands have ROWS rows, or ``rows``; 0: all.
    """
    rows = ROWS if rows is None else rows
    for layer in (*decoder.up_blocks[1:].modules(), decoder.conv_out):
        if isinstance(layer, nn.Conv2d):
            layer.to(dtype)
    for block in decoder.up_blocks:
        for number, resnet in enumerate(block.resnets):
            block.resnets[number] = BandedResnet(resnet, rows)
        for number, upsampler in enumerate(block.upsamplers or ()):
            block.upsamplers[number] = BandedUpsampler(upsampler.conv, rows)
    decoder.conv_out = BandedOutput(decoder.conv_norm_out, decoder.conv_out, rows)
    decoder.conv_norm_out = decoder.conv_act = nn.Identity()


class BandedResnet(nn.Module):
    """diffusers' ``ResnetBlock2D`` as a decoder has it: no time embedding, SiLU, no change of size.

    h = conv1(silu(norm1(x))); y = conv2(silu(norm2(h))) + shortcut(x)

    Without a shortcut, y takes the place of x, which nothing reads later.
    """

    def __init__(self, resnet: Any, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.norm1, self.conv1 = resnet.norm1, resnet.conv1
        self.norm2, self.conv2 = resnet.norm2, resnet.conv2
        self.conv_shortcut = resnet.conv_shortcut

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        h, bands = _normed(x, self.norm1, self.conv1, self.rows), _bands(x.shape[2], self.rows)
        scale, shift = scale_and_shift(h, self.norm2, bands)
        y = x.float() if self.conv_shortcut is None else self._room(x)
        for start, end in bands:
            if self.conv_shortcut is not None:
                own = x[:, :, start:end].to(self.conv_shortcut.weight.dtype)
                y[:, :, start:end] = self.conv_shortcut(own)
            y[:, :, start:end] += _normed_band(h, scale, shift, self.conv2, start, end)
        return y

    def _room(self, x: Tensor) -> Tensor:
        return _room(x, self.conv2.out_channels, x.shape[2], x.shape[3], torch.float32)


class BandedUpsampler(nn.Module):
    """Twice as many rows and columns, each value four times, then a 3x3 convolution."""

    def __init__(self, conv: nn.Conv2d, rows: int) -> None:
        super().__init__()
        self.conv, self.rows = conv, rows

    def forward(self, x: Tensor, output_size: int | None = None) -> Tensor:
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        dtype = self.conv.weight.dtype
        y = _room(x, self.conv.out_channels, height, width, dtype)
        for start, end in _bands(height, self.rows):
            first, last = max(0, start // 2 - 1), min(x.shape[2], end // 2 + 1)
            larger = F.interpolate(x[:, :, first:last].to(dtype), scale_factor=2.0, mode="nearest")
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

    def __init__(self, norm: nn.GroupNorm, conv: nn.Conv2d, rows: int) -> None:
        super().__init__()
        self.norm, self.conv, self.rows = norm, conv, rows
        self.out_channels = conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        return _normed(x, self.norm, self.conv, self.rows)


def _normed(x: Tensor, norm: nn.GroupNorm, conv: nn.Conv2d, rows: int) -> Tensor:
    """conv(silu(norm(x))) of x [n, channels, h, w] for a 3x3 convolution, in the precision of its weights."""
    bands = _bands(x.shape[2], rows)
    scale, shift = scale_and_shift(x, norm, bands)
    y = _room(x, conv.out_channels, x.shape[2], x.shape[3], conv.weight.dtype)
    for start, end in bands:
        y[:, :, start:end] = _normed_band(x, scale, shift, conv, start, end)
    return y


def _normed_band(x: Tensor, scale: Tensor, shift: Tensor, conv: nn.Conv2d, start: int, end: int) -> Tensor:
    """conv(silu(scale * x + shift)) of some rows."""
    own = torch.addcmul(shift, x[:, :, max(0, start - 1) : end + 1].float(), scale)
    return _convolved(F.silu(own, inplace=True).to(conv.weight.dtype), conv, start, end, x.shape[2])


def _convolved(rows: Tensor, conv: nn.Conv2d, start: int, end: int, height: int) -> Tensor:
    """A 3x3 convolution of a band with its neighbouring rows; at the picture's edges zeros take their place."""
    padded = F.pad(rows, (0, 0, int(start == 0), int(end == height)))
    return F.conv2d(padded, conv.weight, conv.bias, padding=(0, 1))


def _bands(height: int, rows: int) -> list[tuple[int, int]]:
    """First row and end of bands of equal size; one of all rows if that is not possible."""
    rows = rows if rows and height % rows == 0 else height
    return [(start, start + rows) for start in range(0, height, rows)]


def _room(x: Tensor, channels: int, height: int, width: int, dtype: torch.dtype) -> Tensor:
    return torch.empty(
        (len(x), channels, height, width),
        device=x.device,
        dtype=dtype,
        memory_format=torch.channels_last,
    )
