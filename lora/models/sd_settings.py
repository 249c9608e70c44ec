"""Settings that Stable Diffusion 1 and 2 and sticker-nano share: CLIP's vocabulary and the noise schedule."""

from __future__ import annotations

from typing import Any

from lora.data.captions import MAX_TOKENS, bpe

CLIP_TEXT: dict[str, Any] = {
    "vocab_size": 49408,
    "max_position_embeddings": MAX_TOKENS,
    "hidden_act": "gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}
NOISE_SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
}


def tokenizer(**special_tokens: str) -> Any:
    """A CLIPTokenizer from the bundled merges (49,408 tokens). Without ``pad_token`` it pads with the end token."""
    from transformers import CLIPTokenizer

    vocab, merges = bpe()
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS, **special_tokens)
