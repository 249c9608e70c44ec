"""The base without an adapter, before and after each test."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lora.adapters import lora_layers
from lora.adapters.lora_layers import use_file
from lora.models.base_model import Base
from tests.lora.adapters.files import predict


@pytest.fixture
def bare(base: Base) -> Iterator[Tensor]:
    """What the base predicts without an adapter; it must predict the same in the end, and carry no layers."""
    lora_layers.activate(base, None)
    before = predict(base)
    yield before
    use_file(base, None)
    assert torch.equal(predict(base), before)
    names = {name for _, module in lora_layers._layers(base) for name in module.r}
    assert names == set(lora_layers.loaded_adapters(base).files) == set(getattr(base.unet, "peft_config", {}))
