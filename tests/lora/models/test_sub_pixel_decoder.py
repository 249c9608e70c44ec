"""A decoder that makes four sub-pixels of each pixel: packed, unpacked, loaded and drawn with by the real code."""

from __future__ import annotations

import copy
import fcntl
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.sticker_nano import flat_share
from lora.adapters.lora_layers import use_file
from lora.checks.detail import round_trip_db
from lora.drawing import sampling, solver
from lora.evaluation import compare
from lora.evaluation.scorers import Features, FlatDrawing
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.files import locked
from lora.jobs import Sample
from lora.models import base_model, sticker_nano, sub_pixel_decoder
from lora.models.base_model import Base, BaseError
from lora.models.offload import move_base
from lora.pretrain import pack
from lora.pretrain.vae import psnr
from tests.lora.evaluation.test_compare import checkpoint

DEMO = Path(__file__).parents[3] / "data" / "demo"
WHITE = (255, 255, 255)
FILE = "diffusion_pytorch_model.safetensors"


def refined(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A convolution of four sub-pixels from one of whole pixels, which is their mean: each is a little its own."""
    chance = torch.Generator().manual_seed(4)
    own = torch.randn(len(weight), 4, *weight.shape[1:], generator=chance)
    own = 0.05 * weight.std() * (own - own.mean(dim=1, keepdim=True))
    return (weight[:, None] + own).flatten(0, 1), bias.repeat_interleave(4)


@pytest.fixture(scope="module")
def plain(cache_dir: Path) -> Path:
    """The bundled base's folder."""
    return sticker_nano.cached(cache_dir)


@pytest.fixture(scope="module")
def decoder(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training of the decoder leaves."""
    file = tmp_path_factory.mktemp("decoder") / "decoder.safetensors"
    tensors = {k: v for k, v in load_file(plain / "vae" / FILE).items() if k.startswith(pack.DECODING)}
    tensors |= dict(
        zip(sub_pixel_decoder.LAST, refined(*(tensors[name] for name in sub_pixel_decoder.LAST)), strict=True)
    )
    save_file(tensors, file)
    return file


@pytest.fixture(scope="module")
def packed(plain: Path, decoder: Path) -> Path:
    """The bundled file with that decoder in it."""
    file = decoder.with_name("packed.safetensors")
    assert pack.main(["--vae", str(plain / "vae"), "--decoder", str(decoder), "--out", str(file)]) == 0
    return file


@pytest.fixture(scope="module")
def fine(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The base that comes of it, found by its name as on anyone's machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sticker_nano, "WEIGHTS", packed)
        return base_model.load("sticker-nano", tmp_path_factory.mktemp("fine"), "cpu")


@pytest.fixture(scope="module")
def tiny_fine(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Base:
    """The tiny base with sub-pixels."""
    folder = tmp_path_factory.mktemp("bases") / "tiny fine"
    shutil.copytree(tiny_folder, folder)
    tensors = load_file(folder / "vae" / FILE)
    weight, bias = refined(*(tensors[name] for name in sub_pixel_decoder.LAST))
    save_file({"weight": weight, "bias": bias}, folder / "vae" / sub_pixel_decoder.FILE)
    return base_model.load(str(folder), cache_dir, "cpu")


def test_only_the_decoder_is_another(packed: Path, decoder: Path) -> None:
    """All other tensors are packed as they were; what paints flat colours is not rounded to 8 bits."""
    old, new = load_file(sticker_nano.WEIGHTS), load_file(packed)
    decoding = tuple(f"vae/{name}" for name in pack.DECODING)
    for key in [key for key in old if not key.startswith(decoding)]:
        assert torch.equal(old[key], new[key]), key
    trained = load_file(decoder)
    for name in [name for name in trained if name.startswith(sticker_nano.UNROUNDED)]:
        assert torch.equal(new[f"vae/{name}"], trained[name].half()), name
    assert new["vae/decoder.up_blocks.1.resnets.0.conv1.weight"].dtype == torch.int8


def test_it_is_the_same_base_and_draws_twice_as_large(fine: Base, base: Base, nano: Base) -> None:
    """The hash is the denoiser's, so adapters stay good; it learns from pictures as large as before."""
    assert fine.hash == nano.hash
    assert (fine.resolution, fine.drawn_px, fine.sub_pixels) == (256, 512, 2)
    assert (base.resolution, base.drawn_px, base.sub_pixels) == (64, 64, 1)


def test_a_drawing_averaged_down_is_what_plain_diffusers_draws(fine: Base) -> None:
    """The same three steps through StableDiffusionPipeline.from_pretrained, and through ``draw``."""
    pipeline = StableDiffusionPipeline.from_pretrained(fine.folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    profile = replace(
        fine.profile, guidance_stop=1.0, guided_steps=None
    )  # steps as diffusers would choose them
    fine = replace(fine, profile=profile)
    pipeline.scheduler = solver.make_scheduler(fine, 3)
    noise = torch.randn(8, 32, 32, generator=torch.Generator().manual_seed(1))[None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        prompt = fine.with_background("noto red heart", "white")
        theirs = pipeline(prompt, num_inference_steps=3, guidance_scale=1.0, latents=noise).images[0]
    *_, ours = sampling.draw(fine, [sampling.Item(prompt="noto red heart", seed=1, cfg=1.0)], steps=3)
    assert isinstance(ours, sampling.Picture)
    assert (ours.image.size, theirs.size) == ((512, 512), (256, 256))
    # On white, a sub-pixel may be clamped that the mean of four is not.
    off = np.asarray(ours.image.reduce(2), dtype=int) - np.asarray(theirs, dtype=int)
    off = off[1:-1, 1:-1]  # the rim is not the decoder's own (``bases.RIM``)
    assert np.abs(off).max() <= 3
    assert np.abs(off).mean() < 0.5
    four = np.asarray(ours.image, dtype=int).reshape(256, 2, 256, 2, 3)
    assert np.ptp(four, axis=(1, 3)).max() > 3  # and they are four different ones


def test_sub_pixels_are_in_the_order_of_pixel_shuffle(fine: Base) -> None:
    """Channel c * 4 + dy * 2 + dx is colour c of the sub-pixel dy below and dx right of the first."""
    latents = torch.randn(1, 8, 32, 32, generator=torch.Generator().manual_seed(2)) / 2
    pixels = fine.decode(latents)[0]
    with torch.no_grad():
        channels = fine.vae.decode(latents).sample[0].clamp(-1, 1)
    inner = slice(1, -1)  # the rim is not the decoder's own
    for colour, down, right in ((0, 0, 1), (1, 1, 0), (2, 1, 1)):
        found = pixels[colour, down::2, right::2][inner, inner]
        assert torch.equal(found, channels[4 * colour + 2 * down + right][inner, inner])


def test_the_rim_shows_nothing_of_what_is_beyond_the_picture(fine: Base) -> None:
    """A flat background stays flat up to its corners, where a decoder's convolutions meet zeros."""
    white, _ = fine.encode(torch.ones(1, 3, 256, 256))
    levels = (fine.decode(white)[0] + 1) * 127.5
    assert float(levels.min()) > 245
    with torch.no_grad():
        shift, scale = fine.vae.config.shift_factor or 0, fine.vae.config.scaling_factor
        raw = fine.vae.decode(white / scale + shift).sample[0]
    assert float((raw.clamp(-1, 1).min() + 1) * 127.5) < 235  # without it they do not


def test_the_unpacked_vae_holds_the_means(fine: Base) -> None:
    """Beside it is the convolution itself; packed again with it, the folder gives the same file."""
    means = AutoencoderKL.from_pretrained(fine.folder / "vae").decoder.conv_out
    whole = load_file(fine.folder / "vae" / sub_pixel_decoder.FILE)
    assert whole["weight"].shape == (12, 32, 3, 3)
    torch.testing.assert_close(means.weight, whole["weight"].view(3, 4, 32, 3, 3).mean(dim=1))
    torch.testing.assert_close(means.bias, whole["bias"].view(3, 4).mean(dim=1))


def test_an_unpacked_folder_can_be_packed_again(fine: Base, packed: Path, tmp_path: Path) -> None:
    """Sub-pixels are not lost on the way, and nothing is rounded a second time."""
    assert pack.main(["--vae", str(fine.folder / "vae"), "--out", str(tmp_path / "again.safetensors")]) == 0
    old, new = load_file(packed), load_file(tmp_path / "again.safetensors")
    assert old.keys() == new.keys()
    assert all(torch.equal(old[key], new[key]) for key in old)


def test_what_a_kill_left_is_removed(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kill in the midst of unpacking would fill the disk a bit more. What another process is at work on stays."""
    monkeypatch.setattr(sticker_nano, "WEIGHTS", packed)
    left, new, busy = (tmp_path / f".unpack-{name}" for name in ("left", "new", "busy"))
    for folder in (left, new, busy):
        folder.mkdir()
        (folder / "weights").touch()
        if folder != new:
            os.utime(folder, (0, 0))
    with locked(busy, fcntl.LOCK_EX):
        sticker_nano.unpack(tmp_path / "nano")
    assert sorted(tmp_path.iterdir()) == [busy, new, tmp_path / "nano"]


def test_the_folder_appears_whole_or_not_at_all(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at the last file leaves nothing behind."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sticker_nano, "WEIGHTS", packed)
    monkeypatch.setattr(sub_pixel_decoder, "write", full)
    with pytest.raises(OSError, match="No space") as caught:
        sticker_nano.unpack(tmp_path / "nano")
    assert caught.value.filename == str(tmp_path / "nano")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "fine",
    [
        {"weight": torch.zeros(12, 9, 3, 3), "bias": torch.zeros(12)},
        {"weight": torch.zeros(12, 8, 3, 3), "bias": torch.zeros(3)},
        {"weight": torch.zeros(15, 8, 3, 3), "bias": torch.zeros(15)},
        {"weight": torch.zeros(3, 8, 3, 3), "bias": torch.zeros(3)},
        {"weight": torch.zeros(12, 8, 3, 3)},
        b"no tensors",
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(
    fine: dict[str, Tensor] | bytes, tiny_folder: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """By the name of its file, before anything is drawn with it."""
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    file = tmp_path / "tiny" / "vae" / sub_pixel_decoder.FILE
    if isinstance(fine, bytes):
        file.write_bytes(fine)
    else:
        save_file(fine, file)
    with pytest.raises(BaseError, match=sub_pixel_decoder.FILE):
        base_model.load(str(tmp_path / "tiny"), cache_dir, "cpu")


def test_it_moves_with_the_rest(tiny_fine: Base) -> None:
    """To another device, in its own precision: the decoder's."""
    moved = copy.deepcopy(tiny_fine)
    move_base(moved, torch.device("meta"), torch.bfloat16)
    last = moved.vae.decoder.conv_out
    assert {(one.device.type, one.dtype) for one in last.parameters()} == {("meta", torch.float32)}


@pytest.mark.parametrize("wrong", ["missing", "too many", "another shape", "15 channels"])
def test_a_decoder_that_does_not_fit_is_not_packed(
    wrong: str, plain: Path, decoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tensor is named, and no file is written."""
    tensors = load_file(decoder)
    name = {"too many": "encoder.conv_in.bias", "15 channels": sub_pixel_decoder.LAST[1]}.get(
        wrong, "decoder.conv_in.bias"
    )
    if wrong == "missing":
        del tensors[name]
    else:
        tensors[name] = torch.zeros(15)
    save_file(tensors, tmp_path / "decoder.safetensors")
    out = tmp_path / "out.safetensors"
    flags = ["--decoder", str(tmp_path / "decoder.safetensors"), "--out", str(out)]
    with pytest.raises(SystemExit):
        pack.main(["--vae", str(plain / "vae"), *flags])
    assert name in capsys.readouterr().err
    assert not out.exists()


def test_detail_is_looked_for_at_the_samples_own_size(fine: Base) -> None:
    """The fine decoder's average loses as much as the plain one, at any size that a training may ask for."""
    bug = Image.open(DEMO / "bug.png").convert("RGBA")
    usual = replace(fine, vae=AutoencoderKL.from_pretrained(fine.folder / "vae"))
    for side_px in (256, 128):
        found, wanted = (round_trip_db(one, bug, WHITE, side_px) for one in (fine, usual))
        assert found == pytest.approx(wanted, abs=0.2)


def test_the_benchmarks_figures_are_of_one_size(fine: Base) -> None:
    """PSNR is near the plain decoder's; a border is as wide in a drawing of 512 px as in one of 256."""
    stored = [np.asarray(Image.open(path).convert("RGBA").resize((256, 256))) for path in DEMO.glob("f*.png")]
    pictures = torch.from_numpy(np.stack(stored)).permute(0, 3, 1, 2)
    means = AutoencoderKL.from_pretrained(fine.folder / "vae")
    # Not the same: of four sub-pixels round white, those that would be over it are clamped.
    assert psnr(means, pictures) - 2 < psnr(fine.vae, pictures) < psnr(means, pictures)
    small = Image.new("RGB", (256, 256), "white")
    small.paste("black", (3, 0, 40, 256))
    assert flat_share(small.resize((512, 512), Image.Resampling.NEAREST)) == flat_share(small) < 1


class Tape:
    """An image encoder that keeps the sizes of what it is shown."""

    def __init__(self) -> None:
        self.sizes: set[tuple[int, int]] = set()

    def features(self, drawings: Sequence[FlatDrawing]) -> Features:
        self.sizes |= {one.image.size for one in drawings}
        looks = np.random.default_rng(len(drawings)).normal(size=(len(drawings), 4))
        return Features(style=looks, content=looks)


def test_samples_and_drawings_are_compared_at_one_size(tiny_fine: Base, samples: tuple[Sample, ...]) -> None:
    """Samples are encoded as large as drawings; the prompt scorer sees neither larger than it was trained on."""
    encoder = Tape()
    seen: list[torch.Size] = []
    hook = tiny_fine.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2:]))
    settings = compare.CompareSettings(prompts=("a cat", "a dog"), steps=1)
    try:
        kept = [checkpoint(tiny_fine, 1, 0.01)]
        *_, found = compare.compare(
            tiny_fine, samples, kept, encoder, DiffusionPromptScorer(tiny_fine), settings
        )
    finally:
        hook.remove()
    assert isinstance(found, compare.Comparison)
    assert encoder.sizes == {(128, 128)}
    assert set(seen) == {torch.Size([8, 8])}


def test_the_prompt_scorer_sees_the_average_of_sub_pixels(tiny_fine: Base) -> None:
    """Two pictures whose averages over 2 x 2 pixels are equal get equal embeddings."""
    use_file(tiny_fine, None)
    chance = np.random.default_rng(1)
    large = Image.fromarray(chance.integers(0, 256, (128, 128, 3), dtype=np.uint8))
    scorer = DiffusionPromptScorer(tiny_fine)
    found, wanted = (
        scorer.score(FlatDrawing(image=image, background_colour=WHITE), "white", ["a cat", "a dog"])
        for image in (large, large.reduce(2))
    )
    assert found == pytest.approx(wanted, abs=1e-3)
