"""Makes a base model small enough for tests: SD 2.1's parts and settings with random weights, 64 px.

    python -m tests.tiny_base FOLDER

It draws coloured discs on white, so that something can be cut out; their colour is all it has to say. It
trains, loads and draws through the same code as a real base, in seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lora.data.captions import bpe

RESOLUTION = 64
STEPS = 320  # of the decoder's schooling; after 200, one disc in 200 could not be told from its background


def make(folder: Path, *, seed: int = 0, steps: int = STEPS) -> Path:
    """Write the base for ``seed`` as a plain diffusers folder and return it; about 11 MB, three seconds.

    Without any ``steps`` of schooling it draws noise.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks so small only wait for a second one
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionPipeline(
            vae=_vae(steps),
            unet=_unet(),
            text_encoder=_text_encoder(),
            tokenizer=_tokenizer(),
            scheduler=_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    torch.set_num_threads(threads)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=RESOLUTION // 8,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=(2, 4),  # the number of heads, despite its name
        norm_num_groups=8,
        use_linear_projection=True,
    )


def _vae(steps: int) -> AutoencoderKL:
    """A random encoder; a decoder that has learned one thing, a disc on white coloured by the latents."""
    vae = _random_vae()
    across = torch.linspace(-1, 1, RESOLUTION)
    inside = ((across[None] ** 2 + across[:, None] ** 2).sqrt() < 0.62).float()
    weights = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimizer = torch.optim.Adam(weights, lr=4e-3)
    for _ in range(steps):
        lean = torch.randn(4, 4, 1, 1) * torch.exp(torch.rand(4, 1, 1, 1) * 2 - 1)
        colour = 0.5 * torch.tanh(lean[:, :3]) - 0.4
        drawn = vae.decode(lean + 0.5 * torch.randn(4, 4, 8, 8)).sample
        loss = (drawn - torch.lerp(torch.ones(1), colour, inside)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return vae


def _random_vae() -> AutoencoderKL:
    """Random, but its decoder hands the latents on at first: residual branches add nothing yet."""
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=1,  # more would normalise the colour away
        sample_size=RESOLUTION,
    )
    for name, weight in vae.decoder.named_parameters():
        if "conv2." in name or "to_out" in name:
            nn.init.zeros_(weight)
        if "upsamplers" in name and weight.ndim == 4:
            nn.init.dirac_(weight)
    return vae


def _text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        hidden_act="gelu",
        projection_dim=32,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=49407,
    )
    return CLIPTextModel(config)


def _tokenizer() -> CLIPTokenizer:
    vocab, merges = bpe()
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
