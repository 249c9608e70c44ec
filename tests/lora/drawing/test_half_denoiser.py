"""On some CPUs the denoiser is in bfloat16; the base's hash and what an adapter learns know nothing of it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from lora.adapters import lora_layers
from lora.adapters.lean_lora import LeanLora
from lora.drawing import half_denoiser, sampling
from lora.drawing.sampling import Item
from lora.models.base_model import Base
from lora.models.lean.blocks import LeanGeglu
from lora.models.lean.functions import LeanGroupNorm


@pytest.fixture
def halved(base: Base, monkeypatch: pytest.MonkeyPatch) -> Base:
    """The tiny base as on a CPU that multiplies bfloat16 natively."""
    monkeypatch.setattr(half_denoiser, "multiplies_natively", lambda: True)
    mine = replace(base, unet=copy.deepcopy(base.unet), vae=copy.deepcopy(base.vae))
    half_denoiser.use_bfloat16(mine)
    return mine


def drawn(base: Base) -> np.ndarray:
    item = Item(prompt="a cat", seed=3, cfg=5.0)
    (picture,) = (one for one in sampling.draw(base, [item], steps=4) if isinstance(one, sampling.Picture))
    return np.asarray(picture.image, dtype=float)


def gradients(base: Base, targets: str, *, checkpointing: bool = False) -> dict[str, torch.Tensor]:
    """Those of an adapter that already changes the denoiser, for one batch."""
    lora_layers.add(base, "learns", rank=4, alpha=8, seed=0, targets=targets)
    try:
        lora_layers.activate(base, "learns", train=True)
        weights = lora_layers.weights_of(base, "learns")
        chance = torch.Generator().manual_seed(1)
        for weight in weights.values():
            weight.data = 0.1 * torch.randn(weight.shape, generator=chance)
        side = base.unet.config.sample_size
        noisy = torch.randn(3, base.unet.config.in_channels, side, side, generator=chance)
        if checkpointing:
            base.unet.enable_gradient_checkpointing()
        base.predict(
            noisy, torch.tensor([10, 500, 900]), base.embed(["a cat", "", "a dog"])
        ).square().mean().backward()
        return {name: weight.grad for name, weight in weights.items() if weight.grad is not None}
    finally:
        base.unet.disable_gradient_checkpointing()
        lora_layers.remove(base, "learns")


def flat(found: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([one.flatten() for one in found.values()])


def test_a_picture_is_the_same_but_for_rounding(base: Base, halved: Base) -> None:
    """It differs, by less than two levels of 255 on average."""
    assert 0 < np.abs(drawn(halved) - drawn(base)).mean() < 2


@pytest.mark.parametrize("targets", ["attention+ff", "attention+ff+conv"])
def test_an_adapter_learns_the_same_but_for_rounding(base: Base, halved: Base, targets: str) -> None:
    """Every weight has a gradient in float32, and all of them point where those of PEFT and float32 do."""
    wanted, found = gradients(copy_of(base), targets), gradients(halved, targets)
    assert found.keys() == wanted.keys()
    assert {one.dtype for one in found.values()} == {torch.float32}
    assert torch.cosine_similarity(flat(found), flat(wanted), dim=0) > 0.999
    kinds = {type(module) for module in halved.unet.modules()}
    assert {LeanGeglu, LeanGroupNorm, LeanLora} <= kinds


def test_gradient_checkpointing_changes_no_gradient(halved: Base) -> None:
    """Blocks are computed a second time, to the same values."""
    first = flat(gradients(halved, "attention+ff"))
    torch.testing.assert_close(flat(gradients(halved, "attention+ff", checkpointing=True)), first)


def copy_of(base: Base) -> Base:
    return replace(base, unet=copy.deepcopy(base.unet))


def test_other_cpus_keep_float32(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without such instructions bfloat16 is slower than float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    mine = replace(base)
    half_denoiser.use_bfloat16(mine)
    assert mine.dtype == torch.float32
    assert next(mine.unet.parameters()).dtype == torch.float32
