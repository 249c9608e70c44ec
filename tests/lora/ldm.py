"""A diffusers folder of SD 2's shape as the tensors of one file, under the names of Stability's own code.

The way back of what diffusers' from_single_file does, written from the layer names of both.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
TEXT = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def to_ldm(folder: Path) -> dict[str, Tensor]:
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder" / "model.safetensors")
    return {
        **{f"model.diffusion_model.{_unet(key)}": value for key, value in unet.items()},
        **{f"first_stage_model.{_vae(key)}": _as_kernel(key, value) for key, value in vae.items()},
        **{f"cond_stage_model.model.{key}": value for key, value in _text(text).items()},
    }


def _unet(key: str) -> str:
    path, dot, end = key.rpartition(".")
    if path in ENDS:
        return ENDS[path] + dot + end
    if match := re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions)\.(\d)\.(.*)", key):
        side, level, kind, number = match[1], int(match[2]), match[3], int(match[4])
        place = (
            f"input_blocks.{3 * level + number + 1}"
            if side == "down"
            else f"output_blocks.{3 * level + number}"
        )
        return f"{place}.0.{_resnet(match[5])}" if kind == "resnets" else f"{place}.1.{match[5]}"
    if match := re.match(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.*)", key):
        return f"input_blocks.{3 * int(match[1]) + 3}.0.op.{match[2]}"
    if match := re.match(r"up_blocks\.(\d)\.upsamplers\.0\.conv\.(.*)", key):
        return f"output_blocks.{3 * int(match[1]) + 2}.{1 if match[1] == '0' else 2}.conv.{match[2]}"
    match = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", key)
    assert match, key
    if match[1] == "attentions":
        return f"middle_block.1.{match[3]}"
    return f"middle_block.{2 * int(match[2])}.{_resnet(match[3])}"


def _resnet(key: str) -> str:
    path, dot, end = key.rpartition(".")
    return RESNET[path] + dot + end


def _vae(key: str) -> str:
    key = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample.", key)
    key = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{3 - int(m[1])}.block.", key)
    key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0\.", lambda m: f"up.{3 - int(m[1])}.upsample.", key)
    key = re.sub(r"mid_block\.resnets\.(\d)\.", lambda m: f"mid.block_{int(m[1]) + 1}.", key)
    if "mid_block.attentions.0." in key:
        head, _, tail = key.partition("mid_block.attentions.0.")
        path, dot, end = tail.rpartition(".")
        return f"{head}mid.attn_1.{VAE_ATTENTION[path]}{dot}{end}"
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def _as_kernel(key: str, value: Tensor) -> Tensor:
    """Stability's attention in the VAE is made of 1 x 1 convolutions."""
    linear = "mid_block.attentions" in key and key.endswith("weight") and value.ndim == 2
    return value[:, :, None, None].contiguous() if linear else value


def _text(state: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {key.removeprefix("text_model."): value for key, value in state.items()}
    made = {
        "token_embedding.weight": state.pop("embeddings.token_embedding.weight"),
        "positional_embedding": state.pop("embeddings.position_embedding.weight"),
        "ln_final.weight": state.pop("final_layer_norm.weight"),
        "ln_final.bias": state.pop("final_layer_norm.bias"),
    }
    for key, value in state.items():
        place = re.sub(r"encoder\.layers\.", "transformer.resblocks.", key)
        if "q_proj" in key:
            three = [state[key.replace("q_proj", name)] for name in ("q_proj", "k_proj", "v_proj")]
            place = re.sub(r"self_attn\.q_proj\.", "attn.in_proj_", place)
            made[place] = torch.cat(three)
        elif "k_proj" not in key and "v_proj" not in key:
            for theirs, name in TEXT.items():
                place = place.replace(theirs, name)
            made[place] = value
    return made
