"""The training of the bundled base: what can be shown of it on a CPU."""

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
from lora.pretrain.critic import Discriminator
from lora.pretrain.learner import CLIP, PEAK, TEACH_WEIGHT, Gradients, Learner, TrainingBatches
from lora.pretrain.model import Model
from lora.pretrain.pack import DECODING, read_vae, with_decoder
from lora.pretrain.variants import Vocabulary
from lora.pretrain.words import LENGTH, SIZE

TEXTS = ("noto cat", "a red car", "two dogs")


def words(vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    ids = [encode(text) + [vocabulary.eos] * (LENGTH - len(encode(text))) for text in TEXTS]
    said = nn.functional.normalize(torch.randn(len(TEXTS), SIZE, generator=torch.Generator().manual_seed(1)))
    return {"ids": torch.tensor(ids, dtype=torch.int32), "embeddings": said}


def test_a_step_with_all_gradients_in_one_tensor_is_an_ordinary_step() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(torch.tensor(sorted({token for text in TEXTS for token in encode(text)})))
    model = Model(vocabulary)
    twin = copy.deepcopy(model)
    latents = torch.randn(2, 8, 32, 32)
    ids = torch.tensor([vocabulary.rows(text) for text in TEXTS[:2]])

    chance = torch.Generator().manual_seed(3)
    lessons = TrainingBatches(twin, words(vocabulary), vocabulary, compiled=False)
    (lessons.pictures(latents, ids, chance) + TEACH_WEIGHT * lessons.words(chance)).backward()
    nn.utils.clip_grad_norm_(twin.parameters(), CLIP)
    torch.optim.AdamW(twin.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01).step()

    lessons = TrainingBatches(model, words(vocabulary), vocabulary, compiled=False)
    learner = Learner(model, lessons, batch=2, generator=torch.Generator().manual_seed(3))
    before = [w.detach().clone() for w in model.parameters()]
    learner.step(latents, ids, PEAK)

    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    for new, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        # Adam's first step is the sign of a gradient: where that is nothing but rounding, it may point either way.
        assert (new - wanted).abs().gt(1e-6).float().mean() < 0.01


def test_gradients_are_clipped_together() -> None:
    weights = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    gradients = Gradients(weights)
    (weights[0].sum() * 3 + weights[1].sum() * 4).backward()
    before = gradients.flat.clone()
    gradients.share()
    assert torch.allclose(gradients.flat, before / before.norm())
    assert weights[1].grad is not None
    assert torch.equal(weights[1].grad.flatten(), gradients.flat[3:])


def square(colour: tuple[float, float, float], side: int = 64) -> torch.Tensor:
    """A flat square in the middle, premultiplied [1, 4, side, side]."""
    rgba = torch.zeros(1, 4, side, side)
    rgba[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor([*colour, 1.0])[:, None, None]
    return rgba


def test_the_decoder_is_shown_flat_fills_only() -> None:
    """Wherever and however large a drawing is placed, its fill is still one colour, and its background none."""
    for seed in range(20):
        placed = bank.placed(square((0.2, 0.6, 0.9)), torch.Generator().manual_seed(seed))
        assert placed.shape == (1, 4, 64, 64)
        inside = placed[0, :, placed[0, 3] == 1]
        assert inside.shape[1] > 20
        assert torch.allclose(inside, torch.tensor([0.2, 0.6, 0.9, 1.0])[:, None], atol=1e-5)
        assert placed.min() >= 0


def test_many_small_errors_cost_more_than_few_large_ones_of_the_same_sum() -> None:
    """That is what makes fills flat, and what keeps two likely contours from becoming a soft one."""
    image = torch.zeros(1, 3, 64, 64)
    grain = image + 2 / 127.5
    spot = image.clone()
    spot[..., :4, :16] = 2 / 127.5 * 64
    assert torch.allclose(grain.abs().sum(), spot.abs().sum())
    flat = [decoder.FLAT_WEIGHT * (e.abs() / (e.abs() + decoder.DELTA)).mean() for e in (grain, spot)]
    assert flat[0] > 10 * flat[1]
    assert decoder.loss_of(grain, image) > 2 * grain.abs().mean()


def test_the_decoder_begins_as_the_one_before(base: Base) -> None:
    """Each of four sub-pixels is what the pixel was."""
    latents = torch.randn(1, base.unet.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(2))
    before = base.vae.decode(latents).sample
    copied = copy.copy(base)
    copied.vae = copy.deepcopy(base.vae)
    with torch.no_grad():
        fine = decoder.Decoder(copied)(latents)
    assert torch.allclose(fine, F.interpolate(before, scale_factor=2), atol=1e-5)


def test_the_discriminator_learns_to_see_grain_of_one_level() -> None:
    """Without what it is shown beside the picture, it does not within so few steps."""
    torch.manual_seed(0)
    critic = Discriminator()
    learning = torch.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.5, 0.99))
    chance = torch.Generator().manual_seed(1)

    def pictures() -> tuple[torch.Tensor, torch.Tensor]:
        flat = torch.rand(8, 3, 1, 1, generator=chance).expand(-1, -1, 48, 48) * 2 - 1
        return flat, flat + torch.randn(flat.shape, generator=chance) / 127.5

    for _ in range(60):
        real, decoded = pictures()
        loss = F.relu(1 - critic(real)).mean() + F.relu(1 + critic(decoded)).mean()
        learning.zero_grad()
        loss.backward()
        learning.step()
    real, decoded = pictures()
    assert critic(real).mean() > critic(decoded).mean() + 0.2


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
