"""The trainings of the bundled base, as far as a CPU can run them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from lora.data.captions import encode
from lora.models import sticker_nano
from lora.models.base_model import Base
from lora.pretrain import bank, decoder
from lora.pretrain.discriminator import Discriminator
from lora.pretrain.learner import MAX_GRAD_NORM, PEAK, TEACHER_WEIGHT, Gradients, Learner, StepLosses
from lora.pretrain.model import Model
from lora.pretrain.pack import DECODING, read_vae, with_decoder
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


def square(colour: tuple[float, float, float], side: int = 64) -> torch.Tensor:
    """A flat square in the middle, premultiplied [1, 4, side, side]."""
    rgba = torch.zeros(1, 4, side, side)
    rgba[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor([*colour, 1.0])[:, None, None]
    return rgba


def test_placed_drawings_keep_flat_fills() -> None:
    """At any place and size, the fill of a drawing has one colour, and its background has none."""
    for seed in range(20):
        placed = bank.randomly_placed(square((0.2, 0.6, 0.9)), torch.Generator().manual_seed(seed))
        assert placed.shape == (1, 4, 64, 64)
        inside = placed[0, :, placed[0, 3] == 1]
        assert inside.shape[1] > 20
        assert torch.allclose(inside, torch.tensor([0.2, 0.6, 0.9, 1.0])[:, None], atol=1e-5)
        assert placed.min() >= 0


def test_many_small_errors_cost_more_than_few_large_ones_of_the_same_sum() -> None:
    """So fills become flat, and two likely contours do not become one blurred contour."""
    image = torch.zeros(1, 3, 64, 64)
    grain = image + 2 / 127.5
    spot = image.clone()
    spot[..., :4, :16] = 2 / 127.5 * 64
    assert torch.allclose(grain.abs().sum(), spot.abs().sum())
    flat = [decoder.FLAT_WEIGHT * (e.abs() / (e.abs() + decoder.DELTA)).mean() for e in (grain, spot)]
    assert flat[0] > 10 * flat[1]
    assert decoder.loss_of(grain, image) > 2 * grain.abs().mean()


def test_the_new_decoder_starts_like_the_old_one(base: Base) -> None:
    """Each of the four sub-pixels has the value of the old pixel."""
    latents = torch.randn(1, base.unet.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(2))
    before = base.vae.decode(latents).sample
    copied = copy.copy(base)
    copied.vae = copy.deepcopy(base.vae)
    with torch.no_grad():
        fine = decoder.Decoder(copied)(latents)
    assert torch.allclose(fine, F.interpolate(before, scale_factor=2), atol=1e-5)


def test_the_discriminator_learns_to_find_grain_of_one_level() -> None:
    """Without its second input, the enlarged grain, so few steps are not enough."""
    torch.manual_seed(0)
    discriminator = Discriminator()
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=4e-4, betas=(0.5, 0.99))
    generator = torch.Generator().manual_seed(1)

    def pictures() -> tuple[torch.Tensor, torch.Tensor]:
        flat = torch.rand(8, 3, 1, 1, generator=generator).expand(-1, -1, 48, 48) * 2 - 1
        return flat, flat + torch.randn(flat.shape, generator=generator) / 127.5

    for _ in range(60):
        real, decoded = pictures()
        loss = F.relu(1 - discriminator(real)).mean() + F.relu(1 + discriminator(decoded)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real, decoded = pictures()
    assert discriminator(real).mean() > discriminator(decoded).mean() + 0.2


@pytest.mark.slow
def test_a_decoder_is_trained_and_packed(tmp_path: Path) -> None:
    """The whole training, for some seconds on a CPU: both parts leave weights that pack takes."""
    side, count = bank.SIDE, 4
    pictures = torch.stack([(square((0.1 * i, 0.5, 0.9), side)[0] * 255).byte() for i in range(count)])
    save_file(
        {"pictures": pictures, "held_out": torch.tensor([False, False, True, True])},
        tmp_path / "drawings-512.safetensors",
    )
    rows = [{"style": "noto", "concept": "square"}] * count
    (tmp_path / "drawings-512.json").write_text(json.dumps(rows))
    out = tmp_path / "out"
    flags = [
        "--seconds=20",
        "--batch=1",
        "--bank=4",
        "--fills=1",
        "--every=1",
        "--device=cpu",
        "--no-compile",
    ]
    assert decoder.main(["--dir", str(tmp_path), "--cache", str(tmp_path), "--out", str(out), *flags]) == 0
    vae = read_vae(sticker_nano.cached(tmp_path) / "vae")
    flat, crisp = (load_file(out / f"{name}.safetensors") for name in ("flat", "crisp"))
    assert {name for name in with_decoder(vae, crisp) if name.startswith(DECODING)} == set(crisp)
    assert any(not torch.equal(flat[name], crisp[name]) for name in crisp)
    assert (out / "crisp.png").is_file()
