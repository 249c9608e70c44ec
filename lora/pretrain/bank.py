"""The decoder's training data: drawings at 512 px, with latents from the encoder or from the denoiser."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lora.drawing.sampling import denoise
from lora.drawing.solver import solver_of
from lora.models.base_model import Base
from lora.models.diffusion import add_noise
from lora.pretrain.augment import below, premultiplied
from lora.pretrain.vae import recoloured_on_background

SIDE = 512
STEPS = 20
CLEAN = 0.3  # share of the latents that come straight from the encoder
MOST_STEPS = 6  # the other latents are noised and denoised again, for at most this many of STEPS
CHUNK = 64


class Bank:
    """Pictures uint8 [M, 3, 512, 512] and the latents [M, 8, 32, 32] of each, on the base's device."""

    def __init__(self, base: Base, drawings: Tensor, captions: Sequence[str], size: int) -> None:
        device = base.device
        self._base, self._drawings, self._captions = base, drawings, captions
        self.pictures = torch.empty(size, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        self.latents = torch.empty(size, 8, 32, 32, device=device)

    @torch.no_grad()
    def fill(self, generator: torch.Generator) -> None:
        """Replace all pictures by random drawings in random places, sizes and colours, and make their latents."""
        for chunk in torch.arange(len(self.latents)).split(CHUNK):
            rows = torch.randint(
                len(self._drawings), (len(chunk),), generator=generator, device=generator.device
            )
            rgba = randomly_placed(premultiplied(self._drawings[rows]), generator)
            images = recoloured_on_background(rgba, generator)
            self.pictures[chunk] = ((images.clamp(-1, 1) + 1) * 127.5).round().byte()
            latents, _ = self._base.encode(F.avg_pool2d(images, 2))
            steps = 0
            if float(torch.rand((), generator=generator, device=generator.device)) > CLEAN:
                steps = 1 + below(MOST_STEPS, generator)
            texts = [self._captions[row] for row in rows.tolist()]
            self.latents[chunk] = redenoised(self._base, latents, texts, steps, generator)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random latents [size, 8, 32, 32], and their pictures [size, 3, 512, 512] in [-1, 1]."""
        rows = torch.randint(len(self.latents), (size,), generator=generator, device=generator.device)
        return self.latents[rows], self.pictures[rows].float() / 127.5 - 1


def randomly_placed(rgba: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied pictures [B, 4, H, W], moved by whole pixels; half of the batches smaller, half mirrored.

    It uses no resampling that rings or blurs, so that the decoder learns edges as they were drawn.
    """
    side = rgba.shape[-1]
    if below(2, generator):
        small = side - below(side * 9 // 16, generator)
        rgba = F.interpolate(rgba, (small, small), mode="bilinear", antialias=True)
    if below(2, generator):
        rgba = rgba.flip(-1)
    free = side - rgba.shape[-1]
    left, top = below(free + 1, generator), below(free + 1, generator)
    rgba = F.pad(rgba, (left, free - left, top, free - top))
    x, y = below(17, generator) - 8, below(17, generator) - 8
    return F.pad(rgba, (x, -x, y, -y))


@torch.no_grad()
def redenoised(
    base: Base, latents: Tensor, captions: Sequence[str], steps: int, generator: torch.Generator
) -> Tensor:
    """Latents that are noised, then denoised with the last ``steps`` of STEPS steps, without guidance.

    Returned as they are for 0 steps.
    """
    if not steps:
        return latents
    solver, meant = solver_of(base, STEPS), None
    start = STEPS - steps
    noise = torch.randn(latents.shape, generator=generator, device=latents.device)
    latents = add_noise(latents, noise, base.scheduler.alphas_cumprod[solver.timesteps[start]])
    text_embeddings = base.embed(captions)
    for number in range(start, STEPS):
        latents, meant = denoise(base, solver, number, latents, meant, text_embeddings)
    return latents
