"""SD 2's denoiser as drawing calls it: what does not depend on the step or on the text is not computed again.

All pictures of a batch are at one noise level, and that is one of few: what the levels add to each block's channels is
computed before the first step. The halves of a guided picture differ by their text alone: up to the first layer that
looks at a text they are one.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import (
    CrossAttnDownBlock2D,
    CrossAttnUpBlock2D,
    DownBlock2D,
    UNetMidBlock2DCrossAttn,
    UpBlock2D,
)
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor

from lora.models.lean.blocks import LeanResnet, LeanTransformer, each_for, make_lean
from lora.models.lean.norms import normed

BLOCKS = (CrossAttnDownBlock2D, CrossAttnUpBlock2D, DownBlock2D, UNetMidBlock2DCrossAttn, UpBlock2D)
LEFT_OUT = ("class_embedding", "add_embedding", "encoder_hid_proj", "time_embed_act")  # of diffusers' own


class LeanDenoiser(UNet2DConditionModel):
    """diffusers' denoiser with another forward pass."""

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor
    ) -> UNet2DConditionOutput:
        """Pictures [n, channels, h, w] with n texts, or with 2n: then both of a pair are for the same picture.

        ``timestep`` is [n], or one for all; or one row of ``shifts_of`` for all.
        """
        text = encoder_hidden_states
        given = timestep if timestep.dim() == 2 else self.shifts_of(timestep.reshape(-1))
        shifts = iter(given.split([resnet.time_emb_proj.out_features for resnet in self._resnets()], 1))
        x = self.conv_in(sample)
        skipped = [x]
        for block in self.down_blocks:
            for resnet, attention in _pairs(block):
                x = _seen(attention, resnet.shifted(x, next(shifts)), text)
                skipped.append(x)
            for smaller in block.downsamplers or ():
                x = smaller(x)
                skipped.append(x)
        x = self.mid_block.resnets[0].shifted(x, next(shifts))
        for attention, resnet in zip(self.mid_block.attentions, self.mid_block.resnets[1:], strict=True):
            x = resnet.shifted(_seen(attention, x, text), next(shifts))
        for block in self.up_blocks:
            for resnet, attention in _pairs(block):
                skip = each_for(skipped.pop().permute(0, 2, 3, 1), len(x)).permute(0, 3, 1, 2)
                x = _seen(attention, resnet.shifted(torch.cat((x, skip), 1), next(shifts)), text)
            for larger in block.upsamplers or ():
                x = larger(x)
        return UNet2DConditionOutput(sample=self.conv_out(normed(self.conv_norm_out, x, silu=True)))

    def shifts_of(self, timesteps: Tensor) -> Tensor:
        """What noise levels [n] add to the channels of each block, one block after the other: [n, channels of all]."""
        times = self.time_proj(timesteps).to(self.conv_in.weight.dtype)
        embedded = self.time_embedding(times)
        return torch.cat([resnet.shift_of(embedded) for resnet in self._resnets()], 1)

    def _resnets(self) -> list[LeanResnet]:
        blocks = (*self.down_blocks, self.mid_block, *self.up_blocks)
        return [resnet for block in blocks for resnet in block.resnets]


def _pairs(block: Any) -> list[tuple[LeanResnet, Any]]:
    """The block's resnets, each with the attention after it, or None."""
    attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
    return list(zip(block.resnets, attentions, strict=True))


def _seen(attention: Any, x: Tensor, text: Tensor) -> Tensor:
    return x if attention is None else attention(x, text)[0]


def make_lean_denoiser(unet: Any, *, upsamplers: bool = True) -> bool:
    """Make a denoiser lean, in place; whether it is of SD 2's kind. Of one of another kind, the blocks alone change."""
    make_lean(unet, upsamplers=upsamplers)
    if suits(unet):
        unet.__class__ = LeanDenoiser
    return isinstance(unet, LeanDenoiser)


def suits(unet: Any) -> bool:
    """Whether it has the steps of ``LeanDenoiser`` and no others; its blocks must have been made lean."""
    blocks = (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
    parts = [one for one in unet.modules() if isinstance(one, ResnetBlock2D | Transformer2DModel)]
    return (
        type(unet) is UNet2DConditionModel
        and all(type(block) in BLOCKS for block in blocks)
        and all(isinstance(part, LeanResnet | LeanTransformer) for part in parts)
        and all(getattr(unet, part, None) is None for part in LEFT_OUT)
        and not unet.config.center_input_sample
        and unet.config.act_fn == "silu"
        and unet.config.sample_size % 2 ** (len(unet.up_blocks) - 1) == 0
    )
