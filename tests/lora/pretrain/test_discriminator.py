"""The discriminator learns to see weak grain in few steps."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from lora.pretrain.discriminator import Discriminator


def test_the_discriminator_learns_to_find_grain_of_one_level() -> None:
    """Without its second input, the enlarged grain, so few steps are not enough."""
    torch.manual_seed(0)
    discriminator = Discriminator()
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=4e-4, betas=(0.5, 0.99))
    generator = torch.Generator().manual_seed(1)

    def pictures() -> tuple[torch.Tensor, torch.Tensor]:
        flat = torch.rand(4, 3, 1, 1, generator=generator).expand(-1, -1, 32, 32) * 2 - 1
        return flat, flat + torch.randn(flat.shape, generator=generator) / 127.5

    for _ in range(40):
        real, decoded = pictures()
        loss = F.relu(1 - discriminator(real)).mean() + F.relu(1 + discriminator(decoded)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real, decoded = pictures()
    assert discriminator(real).mean() > discriminator(decoded).mean() + 0.2
