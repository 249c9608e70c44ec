"""Blocks of diffusers' networks without the passes over memory that drawing and training do not need.

The arithmetic is that of diffusers, which also divides by an output scale of 1, copies the layout of tokens, and looks
for masks. A block of another kind than these stays as it is. Without gradients, values are changed in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from lora.models.lean.functions import LeanGroupNorm, attention, is_half_on_cpu
from lora.models.lean.norms import gated, normed

SUMMED = 64  # channels of an upsampler that are added up together: all at once take 0.5 GB of SD 2.1


class LeanResnet(ResnetBlock2D):
    """A residual block of two convolutions with SiLU."""

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        return self.shifted(x, None if temb is None or self.time_emb_proj is None else self.shift_of(temb))

    def shift_of(self, temb: Tensor) -> Tensor:
        """What the block adds to the channels of each picture at these noise levels: [n, channels]."""
        shift: Tensor = self.time_emb_proj(F.silu(temb))
        return shift

    def shifted(self, x: Tensor, shift: Tensor | None) -> Tensor:
        """``forward`` with what ``shift_of`` gave."""
        h = self.conv1(normed(self.norm1, x, silu=True))
        if shift is not None:
            h += shift[:, :, None, None]
        h = self.conv2(normed(self.norm2, h, silu=True))
        return h.add_(x if self.conv_shortcut is None else convolved(self.conv_shortcut, x))

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether the block has these steps and no others."""
        plain = block.output_scale_factor == 1
        plain &= block.time_emb_proj is None or block.time_embedding_norm == "default"
        return plain and block.upsample is None and block.downsample is None and _is_silu(block)


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    """A convolution of pictures. On a GPU and without gradients, a 1 x 1 one is a product: cuDNN's is slower."""
    if x.device.type == "cuda" and is_product(conv) and not torch.is_grad_enabled():
        return as_product(conv, x)
    y: Tensor = conv(x)
    return y


def is_product(conv: nn.Module) -> bool:
    """Whether it is a 1 x 1 convolution of all channels; a layer with an adapter around one is not."""
    if type(conv) is not nn.Conv2d:
        return False
    return conv.kernel_size == conv.stride == (1, 1) and conv.padding == (0, 0) and conv.groups == 1


def as_product(conv: Any, x: Tensor) -> Tensor:
    """A 1 x 1 convolution of pictures [n, channels, h, w] as a product; its channels are last in memory."""
    return F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias).permute(0, 3, 1, 2)


class LeanTransformer(Transformer2DModel):
    """Attention over the places of a picture; its channels-last layout is that of the tokens."""

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
        """Pictures x [n, channels, h, w] with n texts; with 2n, both of a pair are for the same picture."""
        batch, channels, height, width = x.shape
        tokens = self.proj_in(
            normed(self.norm, x).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        )
        for block in self.transformer_blocks:
            call = partial(self._gradient_checkpointing_func, block) if self.gradient_checkpointing else block
            tokens = call(tokens, encoder_hidden_states)
        moved = self.proj_out(tokens).view(batch, -1, height, width, channels).permute(0, 1, 4, 2, 3)
        return ((moved + x[:, None]).flatten(0, 1),)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it takes pictures, through linear layers."""
        return bool(block.is_input_continuous and block.use_linear_projection)


class LeanBlock(BasicTransformerBlock):
    """Attention over the tokens, over the text, then two layers."""

    def forward(self, x: Tensor, encoder_hidden_states: Tensor, **_: Any) -> Tensor:
        x = _added(self.attn1(self.norm1(x)), x)
        x = each_for(x, len(encoder_hidden_states))
        x = _added(self.attn2(self.norm2(x), encoder_hidden_states), x)
        return _added(self.ff(self.norm3(x)), x)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it has these three parts, with plain layer norms."""
        return block.norm_type == "layer_norm" and block.attn2 is not None and block.pos_embed is None


class LeanAttention:
    """An attention processor: softmax(q k / sqrt(width of a head)) v, and a linear layer."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        y: Tensor = attn.to_out[1](attn.to_out[0](self.attended(attn, hidden_states, encoder_hidden_states)))
        return y

    def attended(self, attn: Any, x: Tensor, text: Tensor | None) -> Tensor:
        """What the last layer is given: attention of x to the text, or to x itself if there is none."""
        return attention(*self.projected(attn, x, x if text is None else text), heads=attn.heads)

    def projected(self, attn: Any, x: Tensor, text: Tensor) -> Sequence[Tensor]:
        """Queries of x, keys and values of the text: [n, tokens, width] each."""
        return attn.to_q(x), attn.to_k(text), attn.to_v(text)

    @staticmethod
    def suits(attn: Any) -> bool:
        """Whether it has no norms, and adds and divides nothing."""
        norms = (attn.spatial_norm, attn.group_norm, attn.norm_q, attn.norm_k, attn.norm_cross)
        return not any(norms) and not attn.residual_connection and attn.rescale_output_factor == 1


class LeanGeglu(GEGLU):
    """A linear layer, and then its values times their gates."""

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        return gated(self.proj(x))

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it is on a GPU, or in bfloat16 on a CPU."""
        weight = next(block.proj.parameters())
        return weight.device.type == "cuda" or is_half_on_cpu(weight)


class LeanUpsample(Upsample2D):
    """Twice the width and height, each place four times, and a convolution: one transposed convolution instead.

    A 3 x 3 kernel meets each place up to four times. Its weights that meet the same one are added up beforehand, which
    leaves 4 products of 9. All networks that share the weights share the sums: 118 MB of SD 2.1 in bfloat16.
    """

    _kernel: Tensor  # [channels in, channels out, 4, 4]

    def prepare(self) -> None:
        """Add up the weights. As a buffer they move with the network; no file has them."""
        self.register_buffer("_kernel", _kernel_of(self.conv.weight), persistent=False)

    def forward(self, x: Tensor, output_size: int | None = None, *_: Any, **__: Any) -> Tensor:
        if output_size is not None or type(self.conv) is not nn.Conv2d:  # another size, or an adapter
            return super().forward(x, output_size)
        return F.conv_transpose2d(x, self._kernel, self.conv.bias, stride=2, padding=1)

    @staticmethod
    def suits(block: Any) -> bool:
        """Whether it has these steps and no others; its weights must stay as they are."""
        conv = block.conv if block.use_conv and not block.use_conv_transpose and block.interpolate else None
        if type(conv) is not nn.Conv2d or block.norm is not None:
            return False
        return conv.kernel_size == (3, 3) and conv.stride == conv.padding == (1, 1)


def upsampling_kernel(weight: Tensor) -> Tensor:
    """Of a 3 x 3 kernel [out, in, 3, 3], the one of a transposed convolution [in, out, 4, 4] that doubles before it."""
    out, channels = weight.shape[:2]
    like: dict[str, Any] = {"dtype": weight.dtype, "device": weight.device}
    made = torch.empty((channels, out, 4, 4), memory_format=torch.channels_last, **like)
    for part, sums in zip(weight.split(SUMMED), made.split(SUMMED, 1), strict=True):
        wide = F.pad(part.float().flip(2, 3), (1, 1, 1, 1))
        tall = wide[:, :, :-1] + wide[:, :, 1:]
        sums.copy_((tall[..., :-1] + tall[..., 1:]).transpose(0, 1))
    return made


_kernels = WeakTensorKeyDictionary()  # upsampling kernels by the weights that they are made of


def _kernel_of(weight: Tensor) -> Tensor:
    found: Tensor | None = _kernels.get(weight)
    if found is None or (found.device, found.dtype) != (weight.device, weight.dtype):
        found = _kernels[weight] = upsampling_kernel(weight.detach())
    return found


LEAN: dict[type[nn.Module], Any] = {
    ResnetBlock2D: LeanResnet,
    Transformer2DModel: LeanTransformer,
    BasicTransformerBlock: LeanBlock,
    Upsample2D: LeanUpsample,
    GEGLU: LeanGeglu,
    nn.GroupNorm: LeanGroupNorm,
}


def make_lean(network: nn.Module, *, upsamplers: bool = True) -> None:
    """Replace the forward passes of the network's blocks by lean ones, in place. Its weights stay.

    Without ``upsamplers``, those stay as they are: their sums take memory.
    """
    for module in network.modules():
        lean = LEAN.get(type(module))
        if lean is LeanUpsample and not upsamplers:
            continue
        if lean is not None and lean.suits(module):
            module.__class__ = lean
            if isinstance(module, LeanUpsample):
                module.prepare()
        if isinstance(module, Attention) and LeanAttention.suits(module):
            module.set_processor(LeanAttention())


def each_for(x: Tensor, count: int) -> Tensor:
    """x [n, ...] as [count, ...]: each of its rows ``count / n`` times, one after the other."""
    if len(x) == count:
        return x
    return x.unsqueeze(1).expand(-1, count // len(x), *x.shape[1:]).flatten(0, 1)


def _added(y: Tensor, x: Tensor) -> Tensor:
    """y + x. In place, the gradient of a layer's output would be copied, because that is a view."""
    return y + x if torch.is_grad_enabled() else y.add_(x)


def _is_silu(block: Any) -> bool:
    probe = torch.tensor([-1.0, 2.0])
    return torch.equal(block.nonlinearity(probe), F.silu(probe))
