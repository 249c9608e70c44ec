"""Blocks of diffusers' networks without the passes over memory that a drawing does not need.

The arithmetic is that of diffusers, which also divides by an output scale of 1, copies the layout of tokens, and keeps
what only a training needs. A block of another kind than these stays as it is. For drawing alone: values are changed in
place.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F


class LeanResnet(ResnetBlock2D):
    """A residual block of two convolutions with SiLU."""

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x), inplace=True))
        if temb is not None and self.time_emb_proj is not None:
            h += self.time_emb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h), inplace=True))
        return h.add_(x if self.conv_shortcut is None else self.conv_shortcut(x))

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether the block has these steps and no others."""
        plain = block.output_scale_factor == 1
        plain &= block.time_emb_proj is None or block.time_embedding_norm == "default"
        return plain and block.upsample is None and block.downsample is None and _is_silu(block)


class LeanTransformer(Transformer2DModel):
    """Attention over the places of a picture; its channels-last layout is that of the tokens."""

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
        batch, channels, height, width = x.shape
        tokens = self.proj_in(self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * width, channels))
        for block in self.transformer_blocks:
            tokens = block(tokens, encoder_hidden_states=encoder_hidden_states)
        moved = self.proj_out(tokens).view(batch, height, width, channels).permute(0, 3, 1, 2)
        return (moved + x,)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it takes pictures, through linear layers."""
        return bool(block.is_input_continuous and block.use_linear_projection)


class LeanBlock(BasicTransformerBlock):
    """Attention over the tokens, over the text, then two layers."""

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: Any) -> Tensor:
        x = self.attn1(self.norm1(x)).add_(x)
        x = self.attn2(self.norm2(x), encoder_hidden_states).add_(x)
        return self.ff(self.norm3(x)).add_(x)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it has these three parts, with plain layer norms."""
        return block.norm_type == "layer_norm" and block.attn2 is not None and block.pos_embed is None


LEAN: dict[type[nn.Module], Any] = {
    ResnetBlock2D: LeanResnet,
    Transformer2DModel: LeanTransformer,
    BasicTransformerBlock: LeanBlock,
}


def make_lean(network: nn.Module) -> None:
    """Replace the forward passes of the network's blocks by lean ones, in place. Its weights stay."""
    for module in network.modules():
        lean = LEAN.get(type(module))
        if lean is not None and lean.suits(module):
            module.__class__ = lean


def _is_silu(block: Any) -> bool:
    probe = torch.tensor([-1.0, 2.0])
    return torch.equal(block.nonlinearity(probe), F.silu(probe))
