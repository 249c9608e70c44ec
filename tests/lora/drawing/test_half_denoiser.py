"""Drawings on some CPUs use a copy of the denoiser in bfloat16; trainings and the base's hash know nothing of it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from lora.adapters import lora_layers
from lora.drawing import half_denoiser, sampling
from lora.drawing.sampling import Item
from lora.models.base_model import Base


@pytest.fixture
def halved(base: Base, monkeypatch: pytest.MonkeyPatch) -> Base:
    """The tiny base as on a CPU that multiplies bfloat16 natively."""
    monkeypatch.setattr(half_denoiser, "multiplies_natively", lambda: True)
    mine = replace(base, vae=copy.deepcopy(base.vae))
    half_denoiser.add_copy(mine)
    return mine


def drawn(base: Base, adapter: bytes | None = None) -> np.ndarray:
    item = Item(prompt="a cat", seed=3, cfg=5.0, adapter=adapter)
    (picture,) = (one for one in sampling.draw(base, [item], steps=4) if isinstance(one, sampling.Picture))
    return np.asarray(picture.image, dtype=float)


def test_a_picture_is_the_same_but_for_rounding(base: Base, halved: Base) -> None:
    """It differs, by less than two levels of 255 on average."""
    assert 0 < np.abs(drawn(halved) - drawn(base)).mean() < 2


def test_the_weights_that_trainings_use_stay_as_they_are(base: Base, halved: Base) -> None:
    """They are float32, and an adapter that draws is on the copy alone."""
    name = "made"
    lora_layers.add(halved, name, rank=2, alpha=2, seed=0)
    about = lora_layers.AdapterInfo(
        base=base.name, base_hash=base.hash, keyword="", background="white", targets="attention",
        rank=2, alpha=2, steps=1, seed=0,
    )  # fmt: skip
    data = lora_layers.save_adapter(halved, name, about)
    lora_layers.remove(halved, name)
    before = list(lora_layers.loaded_adapters(halved).files)  # other tests draw with the same base
    drawn(halved, data)
    assert {weight.dtype for weight in halved.unet.parameters()} == {torch.float32}
    assert {weight.dtype for weight in halved.for_drawing.unet.parameters()} == {torch.bfloat16}
    assert len(lora_layers.loaded_adapters(halved.for_drawing).files) == 1
    assert lora_layers.loaded_adapters(halved).files == before


def test_other_cpus_draw_with_the_weights_themselves(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without such instructions bfloat16 is slower than float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    mine = replace(base)
    half_denoiser.add_copy(mine)
    assert mine.for_drawing is mine
