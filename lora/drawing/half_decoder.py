"""The decoder of drawings on a GPU: in half precision where a picture stays the same by that, else the base's own.

It is a copy (100 MB of SD 2.1's), because a training sends the VAE to main memory, and graphs keep its addresses.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lora.drawing.banded_decoder import compute_in_bands
from lora.models.base_model import Base

PROBE = 32  # latents of a side: the float32 decoder takes as much memory as all of drawing at 64
MOST = 1 / 255  # by how much a pixel of 0 to 1 may differ from the float32 decoder's


class Decoder:
    """Decodes latents [n, channels, h, w] to pixels [n, 3, H, W] in -1..1."""

    def __init__(self, base: Base, dtype: torch.dtype, *, lean: bool = False) -> None:
        """On a GPU, or with ``lean``, it computes in bands (``banded_decoder``): with less memory, and without the
        slow kernels and the copies that torch's group norm has for pictures whose channels are last.
        """
        self._source, self._lean, self.dtype = base, lean, dtype
        self._vae = base.vae
        if base.device.type == "cuda" or lean:
            self._vae = _copied(base.vae).to(base.device, dtype)
            compute_in_bands(self._vae.decoder)
        self._base = replace(base, vae=_Cast(self._vae, dtype))

    def __call__(self, latents: Tensor) -> Tensor:
        return self._base.decode(latents)

    def compile(self) -> None:
        """Let the compiler write its kernels, of the whole picture if memory allows: it fuses what bands avoid."""
        if self._vae is not self._source.vae and not self._lean:
            self._vae = _copied(self._source.vae).to(self._source.device, self.dtype)
            self._base = replace(self._source, vae=_Cast(self._vae, self.dtype))
        self._vae.decoder.compile(fullgraph=True, dynamic=False)


def _copied(vae: Any) -> Any:
    """A copy without the encoder, which keeps its weights."""
    left_out: dict[int, Any] = {id(part): None for part in (vae.encoder, vae.quant_conv) if part is not None}
    return copy.deepcopy(vae, left_out)


class _Cast:
    """A VAE that is given float32 latents and computes in another precision."""

    def __init__(self, vae: Any, dtype: torch.dtype) -> None:
        self.vae, self.config, self.decoder, self._dtype = vae, vae.config, vae.decoder, dtype

    def to(self, device: torch.device) -> None:
        """It stays where it is."""

    def decode(self, latents: Tensor) -> Any:
        return self.vae.decode(latents.to(self._dtype))


def decoder_of(base: Base, *, lean: bool = False) -> Decoder:
    """In float16 on a GPU if two probes look the same; float16 has the ten bits of the TF32 that is usual there."""
    if base.device.type == "cuda":
        half = Decoder(base, torch.float16, lean=lean)
        if furthest(base, half, side=PROBE // 2 if lean else PROBE) <= MOST:
            return half
    return Decoder(base, torch.float32, lean=lean)


@torch.no_grad()
def furthest(base: Base, decoder: Decoder, *, side: int = PROBE) -> float:
    """The largest difference of a pixel, in 0..1, between a decoder and the base's in exact float32, on two probes."""
    side = min(side, base.unet.config.sample_size)
    chance = torch.Generator().manual_seed(0)
    found = 0.0
    for smooth in (False, True):
        probe = torch.randn(1, base.unet.config.in_channels, side, side, generator=chance)
        if smooth:
            probe = torch.nn.functional.avg_pool2d(probe, 5, 1, 2) * 5
        probe = probe.to(base.device)
        with _exactly():
            right = base.decode(probe)
        differences = (decoder(probe) - right).abs() / 2
        found = max(found, float(differences.nan_to_num(1.0).max()))
    return found


@contextmanager
def _exactly() -> Iterator[None]:
    """Within it, convolutions of float32 have all of its bits; usually they have the ten of TF32 on a GPU."""
    usual = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = usual
