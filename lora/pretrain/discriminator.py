"""A patch discriminator: it tells decoded from original drawings, so that the decoder learns to look like those.

Patches: Isola et al. 2017, arXiv 1611.07004. Spectral norm: Miyato et al. 2018, arXiv 1802.05957. Hinge loss, with D
for the discriminator: ``mean relu(1 - D(original)) + mean relu(1 + D(decoded))``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lora.pretrain.augment import below

CROP = 256  # px of a side of the crop that it is given
GRAIN = 40  # factor for differences between neighbouring pixels


class Discriminator(nn.Module):
    """RGB [B, 3, H, W] in [-1, 1] -> a score for each patch, [B, 1, h, w]: high for original, low for decoded.

    It also gets ``tanh(GRAIN (x - mean of 3 x 3 px))``. Decoded fills differ from original ones by noise of one or two
    of 255 levels; without that input it takes thousands of steps until the network reacts to it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 6
        for width, stride in ((64, 2), (128, 2), (256, 2), (256, 1)):
            layers += [
                spectral_norm(nn.Conv2d(before, width, 4, stride, padding=1)),
                nn.LeakyReLU(0.2),
            ]
            before = width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 4, padding=1)))

    def forward(self, images: Tensor) -> Tensor:
        grain = torch.tanh(GRAIN * (images - F.avg_pool2d(images, 3, 1, 1)))
        scores: Tensor = self.layers(torch.cat([images, grain], dim=1))
        return scores


class DiscriminatorTrainer:
    """A discriminator and its optimizer."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._discriminator = Discriminator().to(generator.device)
        self._optimizer = torch.optim.Adam(self._discriminator.parameters(), lr=4e-4, betas=(0.5, 0.99))
        self.loss = torch.full((), torch.nan)

    def step(self, decoded: Tensor, images: Tensor) -> Tensor:
        """Train on decoded and original pictures [B, 3, H, W] in [-1, 1]; returns the decoder's adversarial gradient.

        That is the gradient [B, 3, H, W] of ``-mean D(decoded)`` with respect to ``decoded``. Both pictures are
        cropped at the same random place.
        """
        y, x = (below(side - CROP + 1, self._generator) for side in images.shape[-2:])
        crop = (..., slice(y, y + CROP), slice(x, x + CROP))
        # One step of the discriminator.
        self._discriminator.requires_grad_(True)
        original_scores = self._scores(images[crop])
        decoded_scores = self._scores(decoded.detach()[crop])
        loss = F.relu(1 - original_scores).mean() + F.relu(1 + decoded_scores).mean()
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._discriminator.requires_grad_(False)
        self.loss = loss.detach()
        # The gradient for the decoder.
        image = decoded.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(-self._scores(image[crop]).mean(), image)
        return gradient

    def _scores(self, images: Tensor) -> Tensor:
        # Noise of one level. Original pictures have only 256 levels, decoded ones any value; without the noise, that
        # alone would tell them apart.
        noise = torch.rand(images.shape, generator=self._generator, device=images.device) - 0.5
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.device.type == "cuda"):
            scores: Tensor = self._discriminator(images + noise / 127.5)
        return scores.float()
