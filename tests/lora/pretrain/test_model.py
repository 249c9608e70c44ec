"""Does a training that starts with smaller weights start where they ended?"""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from lora.models.sticker_nano import TEXT_ENCODER, UNET
from lora.pretrain.model import Model, predict
from lora.pretrain.variants import Vocabulary

SMALL = {"transformer_layers_per_block": 1}
TOKENS = torch.tensor([320, 1929, 49406, 49407])


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(TOKENS)


@pytest.fixture
def smaller() -> dict[str, dict[str, Tensor]]:
    """Random weights with one transformer layer everywhere, as ``load_quantized`` reads them."""
    torch.manual_seed(3)
    text = CLIPTextModel(
        CLIPTextConfig(**{**TEXT_ENCODER, "num_hidden_layers": 1, "vocab_size": len(TOKENS) + 1})
    )
    return {
        "unet": UNet2DConditionModel(**{**UNET, **SMALL}).state_dict(),
        "text_encoder": dict(text.state_dict()),
        "tokens": {"kept": TOKENS},
    }


@torch.no_grad()
def test_new_layers_change_nothing_at_first(
    vocabulary: Vocabulary, smaller: dict[str, dict[str, Tensor]]
) -> None:
    model = Model(vocabulary).eval()
    model.warm_up(vocabulary, smaller)
    unet = UNet2DConditionModel(**{**UNET, **SMALL}).eval()
    unet.load_state_dict(smaller["unet"])
    text = CLIPTextModel(
        CLIPTextConfig(**{**TEXT_ENCODER, "num_hidden_layers": 1, "vocab_size": len(TOKENS) + 1})
    )
    text.load_state_dict(smaller["text_encoder"])
    noisy, timesteps = torch.randn(2, 8, 32, 32), torch.tensor([10, 990])
    ids = torch.tensor([vocabulary.rows("a cat"), vocabulary.rows("")])
    now = predict(model.unet, model.text, noisy, timesteps, ids)
    before = predict(unet, text.eval(), noisy, timesteps, ids)
    assert before.std() > 0.01
    assert torch.allclose(now, before, atol=2e-4)


def test_weights_without_a_convolution_are_refused(
    vocabulary: Vocabulary, smaller: dict[str, dict[str, Tensor]]
) -> None:
    del smaller["unet"]["conv_in.weight"]
    with pytest.raises(RuntimeError, match="conv_in"):
        Model(vocabulary).warm_up(vocabulary, smaller)
