"""A discriminator of patches that says what still looks decoded in a picture (Isola et al. 2017, arXiv 1611.07004).

Hinge loss, spectral norm (Miyato et al. 2018, arXiv 1802.05957).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lora.pretrain.augment import below

CROP = 256  # px of a side of what is looked at
GRAIN = 40  # times


class Discriminator(nn.Module):
    """RGB [B, 3, H, W] in [-1, 1] -> how real each patch looks, [B, 1, h, w].

    Beside a picture it is shown what differs from the mean of 3 x 3 px, made large: without that it takes thousands of
    steps to see the grain of a level or two in which decoded fills differ from drawn ones.
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
        seen: Tensor = self.layers(torch.cat([images, grain], dim=1))
        return seen


class Critic:
    """A discriminator, and what it learns from: the same pictures, drawn and decoded."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._looks = Discriminator().to(generator.device)
        self._optimizer = torch.optim.Adam(self._looks.parameters(), lr=4e-4, betas=(0.5, 0.99))
        self.loss = torch.full((), torch.nan)

    def learn(self, decoded: Tensor, images: Tensor) -> Tensor:
        """Learn from decoded and drawn pictures [B, 3, H, W] in [-1, 1]; gives what it would have of ``decoded``.

        That is the gradient [B, 3, H, W] of how decoded they look. Both are seen through one window, at random.
        """
        y, x = (below(side - CROP + 1, self._generator) for side in images.shape[-2:])
        window = (..., slice(y, y + CROP), slice(x, x + CROP))
        self._looks.requires_grad_(True)
        drawn, made = self._look(images[window]), self._look(decoded.detach()[window])
        against = F.relu(1 - drawn).mean() + F.relu(1 + made).mean()
        against.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._looks.requires_grad_(False)
        self.loss = against.detach()
        image = decoded.detach().requires_grad_()
        (wish,) = torch.autograd.grad(-self._look(image[window]).mean(), image)
        return wish

    def _look(self, images: Tensor) -> Tensor:
        # Levels of an 8-bit picture are real, and no decoder's business: noise of one level hides them.
        noise = torch.rand(images.shape, generator=self._generator, device=images.device) - 0.5
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.device.type == "cuda"):
            seen: Tensor = self._looks(images + noise / 127.5)
        return seen.float()
