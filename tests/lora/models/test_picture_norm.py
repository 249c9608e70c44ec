"""Group norms of pictures whose channels are last."""

import copy

import torch
from torch import nn

from lora.models.base_model import Base
from lora.models.picture_norm import PictureNorm, use_picture_norms


@torch.no_grad()
def test_an_encoder_gives_the_same_latents(base: Base) -> None:
    """All its norms, of pictures and of the attention's rows, are replaced and compute the same; the layout stays."""
    side = base.resolution
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    for parameter in (encoder := copy.deepcopy(base.vae.encoder)).parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    usual = encoder(pixels)
    use_picture_norms(encoder)
    assert {type(one) for one in encoder.modules() if isinstance(one, nn.GroupNorm)} == {PictureNorm}
    torch.testing.assert_close(encoder(pixels), usual, rtol=1e-4, atol=1e-4)
    normed = PictureNorm(1, 3)(pixels * 100)
    assert normed.is_contiguous(memory_format=torch.channels_last)


def test_gradients_are_those_of_torch() -> None:
    """Where they are asked for, it is torch's own norm."""
    x = torch.randn(1, 4, 3, 3, requires_grad=True)
    usual = nn.GroupNorm(2, 4)
    made = nn.Sequential(copy.deepcopy(usual))
    use_picture_norms(made)
    (one,) = torch.autograd.grad(made(x).square().sum(), x)
    (other,) = torch.autograd.grad(usual(x).square().sum(), x)
    torch.testing.assert_close(one, other)
