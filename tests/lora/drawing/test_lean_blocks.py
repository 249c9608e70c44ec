"""Lean blocks compute what diffusers' own compute."""

import copy
from dataclasses import replace

import torch

from lora.drawing.lean_blocks import LEAN, make_lean
from lora.models.base_model import Base


def test_both_networks_compute_the_same(base: Base) -> None:
    """Blocks of all kinds are replaced, and nothing differs but the last digits."""
    lean = replace(base, unet=copy.deepcopy(base.unet), vae=copy.deepcopy(base.vae))
    make_lean(lean.unet)
    make_lean(lean.vae)
    kinds = {type(module) for module in (*lean.unet.modules(), *lean.vae.modules())}
    assert set(LEAN.values()) <= kinds
    chance = torch.Generator().manual_seed(0)
    side = base.unet.config.sample_size
    latents = torch.randn(2, base.unet.config.in_channels, side, side, generator=chance)
    texts = base.embed(["a cat", "a dog"])
    with torch.no_grad():
        found, wanted = (one.predict(latents, torch.tensor(500), texts) for one in (lean, base))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lean.decode(latents), base.decode(latents), atol=1e-4, rtol=1e-4)
