"""The decoder in half precision."""

import pytest
import torch

from lora.drawing.half_decoder import MOST, Decoder, furthest
from lora.models.base_model import Base


def test_float16_is_within_a_level(base: Base) -> None:
    decoder = Decoder(base, torch.float16, bands=True, lean=True)
    assert 0 <= furthest(base, decoder) <= MOST
    kinds = {weight.dtype for weight in decoder._own.vae.decoder.parameters()}
    assert kinds == {torch.float16, torch.float32}
    assert {weight.dtype for weight in base.vae.parameters()} == {torch.float32}


@pytest.mark.parametrize("broken", [float("nan"), 0.1])
@torch.no_grad()
def test_what_differs_is_found(base: Base, broken: float) -> None:
    decoder = Decoder(base, torch.float16, bands=True, lean=True)
    decoder._own.vae.decoder.conv_out.conv.bias += broken
    assert furthest(base, decoder) > MOST


@torch.no_grad()
def test_the_compiler_takes_all_of_it(base: Base) -> None:
    """Without bands, in one graph: the same picture."""
    decoder = Decoder(base, torch.float32, bands=True, lean=True)
    side = base.unet.config.sample_size
    latents = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(0))
    decoder._copy(rows=0)
    decoder._own.vae.decoder.compile(fullgraph=True, dynamic=False, backend="aot_eager")
    torch.testing.assert_close(decoder(latents), base.decode(latents), rtol=1e-4, atol=1e-4)
