"""A step of the learner is an ordinary optimizer step."""

from __future__ import annotations

import copy

import torch
from torch import nn

from lora.data.captions import encode
from lora.pretrain.learner import MAX_GRAD_NORM, PEAK, TEACHER_WEIGHT, Gradients, Learner, StepLosses
from lora.pretrain.model import Model
from lora.pretrain.variants import Vocabulary
from lora.pretrain.words import LENGTH, SIZE

TEXTS = ("noto cat", "a red car", "two dogs")


def words(vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    ids = [encode(text) + [vocabulary.eos] * (LENGTH - len(encode(text))) for text in TEXTS]
    embeddings = nn.functional.normalize(
        torch.randn(len(TEXTS), SIZE, generator=torch.Generator().manual_seed(1))
    )
    return {"ids": torch.tensor(ids, dtype=torch.int32), "embeddings": embeddings}


def test_a_step_with_all_gradients_in_one_tensor_is_an_ordinary_step() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(torch.tensor(sorted({token for text in TEXTS for token in encode(text)})))
    model = Model(vocabulary)
    twin = copy.deepcopy(model)
    latents = torch.randn(2, 8, 32, 32)
    ids = torch.tensor([vocabulary.rows(text) for text in TEXTS[:2]])

    generator = torch.Generator().manual_seed(3)
    losses = StepLosses(twin, words(vocabulary), vocabulary, compiled=False)
    (losses.denoising_loss(latents, ids, generator) + TEACHER_WEIGHT * losses.text_loss(generator)).backward()
    nn.utils.clip_grad_norm_(twin.parameters(), MAX_GRAD_NORM)
    torch.optim.AdamW(twin.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01).step()

    losses = StepLosses(model, words(vocabulary), vocabulary, compiled=False)
    learner = Learner(model, losses, batch=2, generator=torch.Generator().manual_seed(3))
    before = [w.detach().clone() for w in model.parameters()]
    learner.step(latents, ids, PEAK)

    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    for new, expected in zip(model.parameters(), twin.parameters(), strict=True):
        # Adam's first step is the sign of a gradient. Where the gradient is only rounding error, the sign is random.
        assert (new - expected).abs().gt(1e-6).float().mean() < 0.01


def test_gradients_are_clipped_together() -> None:
    weights = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    gradients = Gradients(weights)
    (weights[0].sum() * 3 + weights[1].sum() * 4).backward()
    before = gradients.flat.clone()
    gradients.average_and_clip()
    assert torch.allclose(gradients.flat, before / before.norm())
    assert weights[1].grad is not None
    assert torch.equal(weights[1].grad.flatten(), gradients.flat[3:])
