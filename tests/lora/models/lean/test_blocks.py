"""Lean blocks compute what diffusers' own compute."""

import copy
from dataclasses import replace

import torch
from diffusers.models.upsampling import Upsample2D
from torch import nn

from lora.adapters.slots import SlottedDenoiser, SlottedLayer
from lora.models.base_model import Base
from lora.models.lean.blocks import LEAN, LeanGeglu, LeanUpsample, as_product, is_product, make_lean
from lora.models.lean.functions import LeanGroupNorm

IN_BFLOAT16 = {LeanGeglu, LeanGroupNorm}  # tests/lora/drawing/test_half_denoiser.py


def test_both_networks_compute_the_same(base: Base) -> None:
    """Blocks of all kinds in float32 are replaced, and nothing differs but the last digits."""
    lean = replace(base, unet=copy.deepcopy(base.unet), vae=copy.deepcopy(base.vae))
    make_lean(lean.unet)
    make_lean(lean.vae)
    kinds = {type(module) for module in (*lean.unet.modules(), *lean.vae.modules())}
    assert set(LEAN.values()) - IN_BFLOAT16 <= kinds
    chance = torch.Generator().manual_seed(0)
    side = base.unet.config.sample_size
    latents = torch.randn(2, base.unet.config.in_channels, side, side, generator=chance)
    texts = base.embed(["a cat", "a dog"])
    with torch.no_grad():
        found, wanted = (one.predict(latents, torch.tensor(500), texts) for one in (lean, base))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lean.decode(latents), base.decode(latents), atol=1e-4, rtol=1e-4)


def test_gradients_are_the_same(base: Base) -> None:
    """A training has lean blocks, too: there nothing is changed that a backward pass needs."""
    lean = replace(base, unet=copy.deepcopy(base.unet))
    make_lean(lean.unet)
    side = base.unet.config.sample_size
    latents = torch.randn(2, 4, side, side, generator=torch.Generator().manual_seed(0)).requires_grad_()
    texts = base.embed(["a cat", "a dog"]).requires_grad_()
    gradients = [
        torch.autograd.grad(
            one.predict(latents, torch.tensor([9, 500]), texts).square().sum(), (latents, texts)
        )
        for one in (lean, base)
    ]
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_a_small_convolution_as_a_product() -> None:
    """As on a GPU: the values are the same, and channels are last."""
    conv = nn.Conv2d(8, 16, 1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(2, 8, 5, 4).to(memory_format=torch.channels_last)
    found = as_product(conv, x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, conv(x), atol=1e-5, rtol=1e-5)


def test_which_convolutions_are_products() -> None:
    """None that an adapter is on: the product would leave it out."""
    small = nn.Conv2d(8, 8, 1)
    assert is_product(small)
    others = (nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1, stride=2), nn.Conv2d(8, 8, 1, groups=2))
    assert not any(is_product(other) for other in (*others, SlottedLayer(small)))


def test_networks_with_the_same_weights_share_the_sums_of_the_upsamplers(base: Base) -> None:
    """A training and a drawing do not need 118 MB each. Sums of weights that were copied are other ones."""
    shared = [SlottedDenoiser(base.unet, rank=2, targets="attention").unet for _ in range(2)]
    networks = [*shared, copy.deepcopy(base.unet)]
    for network in networks:
        make_lean(network)
    first, second, other = (
        [module._kernel.data_ptr() for module in network.modules() if isinstance(module, LeanUpsample)]
        for network in networks
    )
    assert first == second != other


def test_the_sums_of_an_upsampler_move_with_it() -> None:
    network = nn.Sequential(Upsample2D(8, use_conv=True))
    make_lean(network)
    network.to(torch.bfloat16)
    assert network(torch.zeros(1, 8, 4, 4, dtype=torch.bfloat16)).shape == (1, 8, 8, 8)
    assert not any("kernel" in name for name in network.state_dict())


def test_an_adapter_on_an_upsamplers_convolution_is_used() -> None:
    plain = nn.Sequential(Upsample2D(8, use_conv=True))
    make_lean(plain)
    convolution = plain[0].conv
    assert isinstance(convolution, nn.Conv2d)
    plain[0].conv = SlottedLayer(convolution)
    plain[0].conv.merged = torch.zeros(1, 8, 8, 3, 3)
    torch.testing.assert_close(plain(torch.randn(1, 8, 4, 4))[0, :, 3, 3], plain[0].conv.layer.bias)
