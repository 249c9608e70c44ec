"""The training of the decoder, as far as a CPU can run it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from lora.models import sticker_nano
from lora.models.base_model import Base
from lora.pretrain import bank, decoder
from lora.pretrain.pack import DECODING, read_vae, with_decoder


def square(colour: tuple[float, float, float], side: int = 64) -> torch.Tensor:
    """A flat square in the middle, premultiplied [1, 4, side, side]."""
    rgba = torch.zeros(1, 4, side, side)
    rgba[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor([*colour, 1.0])[:, None, None]
    return rgba


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
