"""sticker-nano, the bundled base: its shape, its 8-bit file, and that file unpacked to a diffusers folder.

Importing this file does not import torch, so that a command line can know the base's name.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from lora.files import folder_made
from lora.models import sub_pixel_decoder
from lora.models.quiet import quiet_libraries
from lora.models.sd_settings import CLIP_TEXT, NOISE_SCHEDULE, tokenizer

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import Tensor
    from transformers import CLIPTextModel

NAME = "sticker-nano"

# The backgrounds, RGB, that the base learned by name. A caption that names none means white.
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "green": (0, 190, 90),
    "magenta": (230, 60, 200),
    "blue": (40, 90, 230),
}

UNET: dict[str, Any] = {
    "sample_size": 32,
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (64, 128, 256),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3,
    "up_block_types": ("CrossAttnUpBlock2D",) * 3,
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 2, 2),
    "cross_attention_dim": 256,
    "attention_head_dim": (2, 4, 8),  # the number of heads, despite its name
    "use_linear_projection": True,
}
TEXT_ENCODER: dict[str, Any] = {
    **CLIP_TEXT,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "projection_dim": 256,
    "pad_token_id": 49407,
}
SCHEDULER: dict[str, Any] = {
    **NOISE_SCHEDULE,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
}

BUNDLED = Path(__file__).parents[1] / "bundled"
WEIGHTS = BUNDLED / f"{NAME}.safetensors"
STYLES = (
    BUNDLED / "styles.safetensors"
)  # the styles that it knows by name: ``lora.pretrain.names.style_table``
OTHER_TOKENS = 0  # the embedding row of every token that was in no training caption

# Parts of the VAE that stay fp16, which costs 0.28 MB. No later layer averages their rounding errors: on a flat
# background 1 pixel of 100 would be off by 1.6 of 255. The layers before them, at 8 bits, cause 0.06 of 255.
UNROUNDED = ("decoder.up_blocks.2.", "decoder.up_blocks.3.", "decoder.conv_out.")


def content_hash() -> str:
    """sha256 of the bundled file: a new edition of the weights is another base."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()


def cached(cache_dir: Path) -> Path:
    """The unpacked folder inside ``cache_dir``, unpacked on first use; each edition has its own."""
    return unpack(cache_dir / f"{NAME}-{content_hash()[:12]}")


def unpack(folder: Path) -> Path:
    """Write sticker-nano as a plain diffusers folder (fp32, safetensors) and return it.

    If its decoder draws sub-pixels, their convolution is in a file of its own (``lora.models.sub_pixel_decoder``).

    A folder that is already there is left as it is. Raises OSError that names it.
    """
    if (folder / "model_index.json").exists():
        return folder
    with folder_made(folder, ".unpack-") as part:
        parts = load_quantized(WEIGHTS)
        parts["vae"], fine = sub_pixel_decoder.split(parts["vae"])
        pipeline(parts).save_pretrained(part, safe_serialization=True)
        if fine:
            sub_pixel_decoder.write(fine, part / "vae")
    return folder


def pipeline(parts: dict[str, dict[str, Tensor]]) -> StableDiffusionPipeline:
    """The whole base in memory, from the tensors that ``load_quantized`` reads."""
    quiet_libraries()
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with safe_open(WEIGHTS, "pt") as file:
        vae_config = json.loads(file.metadata()["vae"])
    unet = UNet2DConditionModel(**UNET)
    unet.load_state_dict(parts["unet"])
    vae = AutoencoderKL(**vae_config)
    vae.load_state_dict(parts["vae"])
    text_encoder = CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER))
    text_encoder.load_state_dict(
        _for_transformers(text_encoder, _whole_vocabulary(parts["text_encoder"], parts["tokens"]["kept"]))
    )
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _whole_vocabulary(state: dict[str, Tensor], kept: Tensor) -> dict[str, Tensor]:
    """Expand the compact embedding table to all of CLIP's token ids.

    The compact table has row OTHER_TOKENS, then one row for each id in ``kept``.
    """
    (name,) = [key for key in state if key.endswith("token_embedding.weight")]
    compact = state[name]
    table = compact[OTHER_TOKENS].repeat(TEXT_ENCODER["vocab_size"], 1)
    table[kept.long()] = compact[1:]
    return {**state, name: table}


def _for_transformers(model: CLIPTextModel, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name the keys as this transformers does: 5.6 dropped the ``text_model.`` in front."""
    prefix = "text_model." if any(key.startswith("text_model.") for key in model.state_dict()) else ""
    return {prefix + key.removeprefix("text_model."): value for key, value in state.items()}


def quantize(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Matrices and kernels as int8 with one fp16 scale per output row; vectors and UNROUNDED parts as fp16.

    ``parts`` is {part: {name: float tensor}}. The largest rounding error is half a scale, that is 0.4 % of
    a row's largest weight.
    """
    import torch

    packed = {}
    for part, state in parts.items():
        for name, value in state.items():
            key = f"{part}/{name}"
            unrounded = part == "vae" and name.startswith(UNROUNDED)
            if unrounded or not value.is_floating_point() or value.ndim < 2:
                packed[key] = value.half() if value.is_floating_point() else value
                continue
            rows = value.float().flatten(1)
            scale = (rows.abs().amax(dim=1).clamp_min(1e-8) / 127).half()
            packed[key] = (
                (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).view(value.shape)
            )
            packed[f"{key}/scale"] = scale
    return {key: value.contiguous() for key, value in packed.items()}


def load_quantized(path: Path) -> dict[str, dict[str, Tensor]]:
    """The content of a file that ``quantize`` packed, as {part: {name: fp32 tensor}} (integers stay integers)."""
    from safetensors.torch import load_file

    packed = load_file(path)
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in packed.items():
        if key.endswith("/scale"):
            continue
        part, name = key.split("/", 1)
        if f"{key}/scale" in packed:
            scale = packed[f"{key}/scale"].float()
            value = value.float() * scale.view(-1, *[1] * (value.ndim - 1))
        parts.setdefault(part, {})[name] = value.float() if value.is_floating_point() else value
    return parts
