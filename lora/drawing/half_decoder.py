"""The decoder of drawings on a GPU: in half precision where a picture stays the same by that, else the base's own.

It is a copy (150 MB of SD 2.1's), because a training sends the VAE to main memory, and graphs keep its addresses.
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

LEAN_ROWS = 32  # of a band on a small card
PROBE = 32  # latents of a side: the float32 decoder takes as much memory as all of drawing at 64
MOST = 1  # by how many levels of 255 a value of an 8-bit picture may differ from the float32 decoder's


class Decoder:
    """Decodes latents [n, channels, h, w] to pixels [n, 3, H, W] in -1..1."""

    def __init__(self, base: Base, dtype: torch.dtype, *, bands: bool, lean: bool = False) -> None:
        """With ``bands`` it computes in bands (``banded_decoder``): with less memory, and without the slow kernels and
        the copies that torch's group norm has for pictures whose channels are last. ``lean``: also when compiled.
        """
        self._source, self._bands, self._lean, self.dtype = base, bands, lean, dtype
        self._own = base
        if bands or base.device.type == "cuda":
            self._copy(rows=LEAN_ROWS if lean else None)

    def _copy(self, *, rows: int | None) -> None:
        vae = _copied(self._source.vae).to(self._source.device)
        if self._bands:
            compute_in_bands(vae.decoder, self.dtype, rows=rows)
        self._own = replace(self._source, vae=vae)

    def __call__(self, latents: Tensor) -> Tensor:
        return self._own.decode(latents)

    def compile(self) -> None:
        """Let the compiler write its kernels, of the whole picture if memory allows: it fuses what bands avoid."""
        if self._bands and not self._lean:
            self._copy(rows=0)
        self._own.vae.decoder.compile(fullgraph=True, dynamic=False)


def _copied(vae: Any) -> Any:
    """A copy without the encoder, which keeps its weights."""
    left_out: dict[int, Any] = {id(part): None for part in (vae.encoder, vae.quant_conv) if part is not None}
    return copy.deepcopy(vae, left_out)


def decoder_of(base: Base, *, lean: bool = False) -> Decoder:
    """In float16 on a GPU if two probes look the same; float16 has the ten bits of the TF32 that is usual there.

    The rule is about pictures: no 8-bit value of a probe may differ by more than one level. Before rounding,
    in SD 2.1's shape with random weights (five seeds, on a CPU), the furthest value of the smooth probe is 1.1 to 1.5
    levels away if all is float16, 0.5 to 0.9 with ``compute_in_bands``. bfloat16, with seven bits, is 7 levels away.
    """
    on_gpu = base.device.type == "cuda"
    tried = [torch.float16] * on_gpu + [torch.float32] * (on_gpu or lean)
    for dtype in tried:
        decoder = Decoder(base, dtype, bands=True, lean=lean)
        if furthest(base, decoder, side=PROBE // 2 if lean else PROBE) <= MOST:
            return decoder
    return Decoder(base, torch.float32, bands=False)


@torch.no_grad()
def furthest(base: Base, decoder: Decoder, *, side: int = PROBE) -> float:
    """By how many levels of 255 pictures of two probes differ at most from those of the base in exact float32.

    The smooth probe has what latents of drawings have: variance 1, and neighbours that are alike.
    """
    side = min(side, base.unet.config.sample_size)
    chance = torch.Generator().manual_seed(0)
    found = 0.0
    for smooth in (False, True):
        probe = torch.randn(1, base.unet.config.in_channels, side, side, generator=chance)
        if smooth:
            probe = torch.nn.functional.avg_pool2d(probe, 5, 1, 2) * 5
        probe = probe.to(base.device)
        with _exactly():
            right = _levels(base.decode(probe))
        differences = (_levels(decoder(probe)) - right).abs()
        found = max(found, float(differences.nan_to_num(255.0).max()))
    return found


def _levels(pixels: Tensor) -> Tensor:
    """The 8-bit values of pixels in -1..1."""
    return ((pixels + 1) * 127.5).round()


@contextmanager
def _exactly() -> Iterator[None]:
    """Within it, convolutions of float32 have all of its bits; usually they have the ten of TF32 on a GPU."""
    usual = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = usual
