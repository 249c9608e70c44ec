"""What the decoder is trained on: drawings at 512 px, and latents as the encoder and the denoiser leave them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lora.drawing.sampling import denoise, make_scheduler
from lora.models.base_model import Base
from lora.pretrain.augment import below, premultiplied
from lora.pretrain.vae import dressed

SIDE = 512
STEPS = 20
CLEAN = 0.3  # of the latents come straight from the encoder
MOST_STEPS = 6  # of STEPS are redone by the denoiser in the others, at most
CHUNK = 64


class Bank:
    """Pictures uint8 [M, 3, 512, 512] with the latents [M, 8, 32, 32] to decode them from, on the base's device."""

    def __init__(self, base: Base, drawings: Tensor, captions: Sequence[str], size: int) -> None:
        device = base.device
        self._base, self._drawings, self._captions = base, drawings, captions
        self.pictures = torch.empty(size, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        self.latents = torch.empty(size, 8, 32, 32, device=device)

    @torch.no_grad()
    def fill(self, generator: torch.Generator) -> None:
        """Show drawings anew, in other places, sizes and colours, and redo their last denoising steps."""
        for chunk in torch.arange(len(self.latents)).split(CHUNK):
            rows = torch.randint(
                len(self._drawings), (len(chunk),), generator=generator, device=generator.device
            )
            images = dressed(placed(premultiplied(self._drawings[rows]), generator), generator)
            self.pictures[chunk] = ((images.clamp(-1, 1) + 1) * 127.5).round().byte()
            latents, _ = self._base.encode(F.avg_pool2d(images, 2))
            redo = 0
            if float(torch.rand((), generator=generator, device=generator.device)) > CLEAN:
                redo = 1 + below(MOST_STEPS, generator)
            texts = [self._captions[row] for row in rows.tolist()]
            self.latents[chunk] = redone(self._base, latents, texts, redo, generator)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents [size, 8, 32, 32], and the pictures [size, 3, 512, 512] in [-1, 1], picked at random."""
        pick = torch.randint(len(self.latents), (size,), generator=generator, device=generator.device)
        return self.latents[pick], self.pictures[pick].float() / 127.5 - 1


def placed(rgba: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied pictures, all smaller by one factor in half of the calls, moved by whole pixels, some mirrored.

    No resampling that rings or blurs: the decoder is to learn edges as they were drawn.
    """
    side = rgba.shape[-1]
    if below(2, generator):
        small = side - below(side * 9 // 16, generator)
        rgba = F.interpolate(rgba, (small, small), mode="bilinear", antialias=True)
    if below(2, generator):
        rgba = rgba.flip(-1)
    room = side - rgba.shape[-1]
    left, top = below(room + 1, generator), below(room + 1, generator)
    rgba = F.pad(rgba, (left, room - left, top, room - top))
    x, y = below(17, generator) - 8, below(17, generator) - 8
    return F.pad(rgba, (x, -x, y, -y))


@torch.no_grad()
def redone(
    base: Base, latents: Tensor, captions: Sequence[str], steps: int, generator: torch.Generator
) -> Tensor:
    """The latents after the last ``steps`` of 20 denoising steps from noise put on them; not guided, as drawing is."""
    if not steps:
        return latents
    scheduler = make_scheduler(base, STEPS)
    times = scheduler.timesteps[-steps:]
    signal = scheduler.alphas_cumprod[times[0]]
    noise = torch.randn(latents.shape, generator=generator, device=latents.device)
    latents = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    texts = base.embed(captions)
    for t in times:
        latents = denoise(base, scheduler, latents, t, texts)
    return latents
