"""The trained model: sticker-nano's denoiser and text encoder, with a head that predicts a teacher's embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lora.models.sticker_nano import TEXT_ENCODER, UNET
from lora.pretrain.variants import Vocabulary
from lora.pretrain.words import SIZE


def predict(unet: nn.Module, text: nn.Module, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
    """The predicted velocity for noisy latents [B, 8, 32, 32] at ``timesteps`` [B] with caption ids [B, 77]."""
    return unet(noisy, timesteps, encoder_hidden_states=text(ids)[0]).sample


class Model(nn.Module):
    """Denoiser, text encoder with a compact vocabulary, and a linear head for the text loss."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(**UNET).to(memory_format=torch.channels_last)
        # The special ids matter only for the pooled output, which is not used.
        compact = {"vocab_size": len(vocabulary.kept) + 1} | dict.fromkeys(
            ("bos_token_id", "eos_token_id", "pad_token_id"), 0
        )
        self.text = CLIPTextModel(CLIPTextConfig(**{**TEXT_ENCODER, **compact}))
        self.head = nn.Linear(TEXT_ENCODER["hidden_size"], SIZE)

    def teacher_embeddings(self, ids: Tensor, eos: int) -> Tensor:
        """The head's prediction of the teacher's embeddings of texts [B, L]: float [B, SIZE], of length 1.

        It uses the text encoder's output at the first end token.
        """
        hidden = self.text(ids)[0]
        first = (ids == eos).int().argmax(dim=1)
        return F.normalize(self.head(hidden[torch.arange(len(ids), device=ids.device), first]).float(), dim=1)

    @torch.no_grad()
    def warm_up(self, vocabulary: Vocabulary, parts: dict[str, dict[str, Tensor]]) -> None:
        """Load ``parts`` as ``load_quantized`` reads them. A layer or block that they lack begins as the identity.

        A token that is new gets the embedding of token 0 with a little noise.
        """
        _load_grown(self.unet, parts["unet"])
        state = {key.removeprefix("text_model."): value for key, value in parts["text_encoder"].items()}
        (name,) = [key for key in state if key.endswith("token_embedding.weight")]
        old = dict(zip(parts["tokens"]["kept"].tolist(), state[name][1:], strict=True))
        rows = [state[name][0]] + [old.get(token, state[name][0]) for token in vocabulary.kept]
        state[name] = torch.stack(rows)
        fresh = torch.tensor([False, *(token not in old for token in vocabulary.kept)])
        state[name][fresh] += 0.01 * torch.randn(int(fresh.sum()), state[name].shape[1])
        prefix = "text_model." if any(k.startswith("text_model.") for k in self.text.state_dict()) else ""
        _load_grown(self.text, {prefix + key: value for key, value in state.items()})


_LAYERS = (".transformer_blocks.", "encoder.layers.")
# What a residual branch of a transformer layer ends with, in the denoiser and in the text encoder.
_BRANCH_ENDS = (".attn1.to_out.0.", ".attn2.to_out.0.", ".ff.net.2.", ".self_attn.out_proj.", ".mlp.fc2.")


def _load_grown(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load the weights of a model with fewer transformer layers.

    The residual branches of a new layer end with 0, so the layer begins as the identity (Chen et al. 2016, arXiv
    1511.05641). Raises RuntimeError if anything but transformer layers is missing.
    """
    found = model.load_state_dict(state, strict=False)
    own = dict(model.named_parameters())
    unknown = [name for name in found.missing_keys if not any(part in name for part in _LAYERS)]
    if unknown or found.unexpected_keys:
        raise RuntimeError(f"other weights: {', '.join([*unknown, *found.unexpected_keys][:5])}")
    for name in found.missing_keys:
        if any(end in name for end in _BRANCH_ENDS):
            own[name].zero_()
