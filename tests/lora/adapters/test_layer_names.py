"""Names of adapters' tensors: those of other trainers are read, and what is no plain LoRA is refused by its reason."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lora.adapters.layer_names import kohya_name, parse
from lora.jobs import JobError
from lora.models import sd21, sticker_nano

PATH = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
FLAT = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1"


@pytest.mark.parametrize("config", [sd21.UNET, sticker_nano.UNET], ids=["sd-2.1", "sticker-nano"])
def test_kohyas_names_lead_back_to_every_layer(config: dict[str, object]) -> None:
    """Their underscores are dots or underscores: each linear layer and convolution of a denoiser is told apart."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    paths = [path for path, layer in unet.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    assert len(paths) > 50
    for path in paths:
        assert parse(f"{kohya_name(path)}.lora_down.weight") == (path, "down")


@pytest.mark.parametrize(
    ("key", "layer", "part"),
    [
        (f"unet.{PATH}.to_q.lora_A.weight", "to_q", "down"),
        (f"unet.{PATH}.to_out.0.lora_B.weight", "to_out.0", "up"),
        (f"{PATH}.to_q.lora_B.weight", "to_q", "up"),
        (f"base_model.model.{PATH}.to_q.lora_A.weight", "to_q", "down"),
        (f"base_model.model.unet.{PATH}.to_q.lora_B.default.weight", "to_q", "up"),
        (f"unet.{PATH}.to_k.lora.down.weight", "to_k", "down"),
        (f"unet.{PATH}.to_k.lora.up.weight", "to_k", "up"),
        (f"unet.{PATH}.to_k.alpha", "to_k", "alpha"),
        (f"unet.{PATH}.processor.to_v_lora.up.weight", "to_v", "up"),
        (f"{PATH}.processor.to_out_lora.down.weight", "to_out.0", "down"),
        (f"{FLAT}_to_out_0.lora_up.weight", "to_out.0", "up"),
        (f"{FLAT}_to_q.alpha", "to_q", "alpha"),
    ],
)
def test_names_of_other_trainers(key: str, layer: str, part: str) -> None:
    assert parse(key) == (f"{PATH}.{layer}", part)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", "text encoder"),
        ("text_encoder_2.encoder.layers.0.q_proj.lora_A.weight", "text encoder"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", "text encoder"),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha", "text encoder"),
        (f"{FLAT}_to_q.dora_scale", "DoRA"),
        (f"unet.{PATH}.to_q.lora_magnitude_vector", "DoRA"),
        (f"{FLAT}_to_q.hada_w1_a", "LoHa"),
        (f"{FLAT}_to_q.lokr_w1", "LoKr"),
        (f"{FLAT}_to_q.lora_mid.weight", "three factors"),
        (f"unet.{PATH}.to_q.weight", "belongs to no LoRA layer"),
        (f"unet.{PATH}.to_q.lora_B.bias", "belongs to no LoRA layer"),
        ("lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q.lora_down.weight", "belongs to no LoRA"),
        ("transformer.single_blocks.0.attn.to_q.lora_A.weight", "belongs to no LoRA layer"),
        ("", "belongs to no LoRA layer"),
    ],
)
def test_what_is_no_lora_of_this_denoiser_is_refused(key: str, reason: str) -> None:
    with pytest.raises(JobError, match=reason) as refused:
        parse(key)
    assert refused.value.code == "bad-adapter"
