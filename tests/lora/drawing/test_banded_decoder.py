"""The decoder in bands."""

import copy

import pytest
import torch

from lora.drawing import banded_decoder
from lora.models.base_model import Base


@pytest.mark.parametrize("rows", [8, 64])
@torch.no_grad()
def test_bands_are_the_whole_picture(base: Base, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seams, edges and norms: every pixel is that of the whole decoder."""
    monkeypatch.setattr(banded_decoder, "ROWS", rows)
    side = base.unet.config.sample_size
    latents = torch.randn(
        2, base.unet.config.in_channels, side, side, generator=torch.Generator().manual_seed(0)
    )
    for parameter in (decoder := copy.deepcopy(base.vae.decoder)).parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    given = base.vae.post_quant_conv(latents)
    whole = decoder(given)
    banded_decoder.compute_in_bands(decoder)
    torch.testing.assert_close(decoder(given), whole, rtol=1e-4, atol=1e-4)
