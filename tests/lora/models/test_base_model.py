"""Base models: where they come from, how they are told apart, what is said when one cannot be had."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora.data import captions
from lora.evaluation.nearest_style import read_table
from lora.jobs import TrainSettings
from lora.models import base_model, sd21, sticker_nano
from lora.models.base_model import Base, BaseError
from lora.models.hashes import weights_hash
from lora.models.profiles import NANO, PROFILES, SD21, SD21_BASE, USUAL, Profile, profile_of, shape_of
from lora.training.plan import make_plan


def test_hash_follows_the_weights_alone(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """A copy with other file times and metadata is the same base; one changed number makes another."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_folder, copy)
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file(weights, file, metadata={"written": "by somebody else"})
    known = base_model.weights_hash(tiny_folder, cache_dir)
    assert base_model.weights_hash(copy, cache_dir) == known
    assert base_model.weights_hash(copy, tmp_path / "empty cache") == known
    name = next(iter(weights))
    weights[name] = weights[name] + 1e-3
    save_file(weights, file)
    assert base_model.weights_hash(copy, cache_dir) != known


def test_what_cannot_be_loaded_says_what_to_do(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Each mistake has a message with the next step; nothing is looked for in a network."""

    def message(name: str) -> str:
        with pytest.raises(BaseError) as failed:
            base_model.load(name, cache_dir, "cpu")
        return str(failed.value)

    assert "python -m lora fetch some/model" in message("some/model")
    assert "sd2-community" in message("stabilityai/stable-diffusion-2-1")
    assert "no diffusers folder" in message(str(tmp_path))
    broken = tmp_path / "broken"
    shutil.copytree(tiny_folder, broken)
    shutil.rmtree(broken / "vae")
    assert "vae missing" in message(str(broken))
    index = json.loads((broken / "model_index.json").read_text())
    (broken / "model_index.json").write_text(json.dumps({**index, "_class_name": "FluxPipeline"}))
    assert "FluxPipeline" in message(str(broken))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_damaged_folder_is_named(
    part: str, tiny_folder: Path, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; where it was unpacked into the cache, what mends it, too."""
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    (file,) = (broken / part).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BaseError, match=f"{broken}: cannot be loaded: [^\n]+$") as failed:
        base_model.load(str(broken), cache_dir, "cpu")
    assert "Delete" not in str(failed.value)
    monkeypatch.setattr(sticker_nano, "cached", lambda cache_dir: broken)
    with pytest.raises(BaseError, match=f"Delete {broken}: it is unpacked again"):
        base_model.load("sticker-nano", cache_dir, "cpu")


@pytest.mark.parametrize("junk", [b"", b"\xff" * 40, b"0" * 63])
def test_a_remembered_hash_that_is_none_is_made_again(junk: bytes, tiny_folder: Path, tmp_path: Path) -> None:
    """Else every adapter of the base would be refused as another base's."""
    right = weights_hash(tiny_folder, tmp_path)
    (known,) = (tmp_path / "base-hashes").iterdir()
    known.write_bytes(junk)
    assert weights_hash(tiny_folder, tmp_path) == right == known.read_text()


def test_pickled_weights_are_not_read(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """A folder with .bin weights only is refused: such a file can run code."""
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_folder, folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(BaseError, match=r"no weights \(.safetensors\) in unet"):
        base_model.load(str(folder), cache_dir, "cpu")


def test_defaults_fill_what_was_not_asked(base: Base) -> None:
    """What was asked for wins; the rest is the base's own, by the number of samples."""
    assert make_plan(base, TrainSettings(steps=7, rank=2), samples=20).steps == 7
    assert make_plan(base, TrainSettings(), samples=20).steps == 1000
    assert make_plan(base, TrainSettings(), samples=500).steps == 1600
    assert make_plan(base, TrainSettings(), samples=20).resolution == 64
    nano = NANO.defaults(24)
    assert (nano.steps, nano.batch_size, nano.learning_rate, nano.rank) == (300, 4, 1e-3, 16)


def test_backgrounds_are_named_as_the_base_learned_them(base: Base) -> None:
    """The bundled base knows its own form of words; an empty text stays empty."""
    assert NANO.caption_template.format(text="a cat", name="white") == "a cat, white background"
    assert base.profile is USUAL
    assert base.with_background("a {cat}", "green") == "a {cat}, on a plain green background"
    assert base.with_background("", "green") == ""


@pytest.mark.parametrize(
    ("unet", "scheduler", "profile"),
    [
        (sticker_nano.UNET, sticker_nano.SCHEDULER, NANO),
        (sticker_nano.UNET, {"prediction_type": "epsilon"}, NANO),
        (sd21.settings(sd21.V_768)["unet"], sd21.settings(sd21.V_768)["scheduler"], SD21),
        (sd21.settings(sd21.EPSILON_512)["unet"], sd21.settings(sd21.EPSILON_512)["scheduler"], SD21_BASE),
        (sd21.settings(sd21.EPSILON_512)["unet"], {"prediction_type": "v_prediction"}, USUAL),
        ({**sd21.UNET, "cross_attention_dim": 768}, {"prediction_type": "v_prediction"}, USUAL),
        ({**sd21.UNET, "block_out_channels": [16, 32]}, {"prediction_type": "v_prediction"}, USUAL),
    ],
)
def test_a_profile_is_chosen_by_the_configs(
    unet: dict[str, object], scheduler: dict[str, object], profile: Profile
) -> None:
    """Channels, text width, sample size and prediction type decide; no name and no path does."""
    assert profile_of(shape_of(SimpleNamespace(**unet), SimpleNamespace(**scheduler))) is profile


def test_both_editions_of_sd21_have_the_usual_values() -> None:
    """Apart from their names and rules, they are the profile of any other base."""
    assert [profile.name for profile in PROFILES] == ["sticker-nano", "sd-2.1-base", "sd-2.1", USUAL.name]
    for profile in (SD21, SD21_BASE):
        assert replace(profile, name=USUAL.name, matches=USUAL.matches) == USUAL


def test_embeddings_are_those_of_the_text_encoder(base: Base) -> None:
    """Remembered or fresh, alone or among others, an embedding is the same; texts are normalised first."""
    alone = base.embed(["don't stop"])
    again = base.embed(["a cat", "don’t stop", "a dog"])
    assert alone.shape == (1, 77, 32)
    torch.testing.assert_close(again[1], alone[0], atol=1e-6, rtol=0)
    ids = base.tokenizer(["don't stop"], padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.no_grad():
        torch.testing.assert_close(base.text_encoder(ids)[0], alone, atol=1e-6, rtol=0)
    base.embed([f"text {i}" for i in range(600)])
    assert len(base._embeddings) <= 600


def test_no_ending_is_longer_than_was_allowed_for() -> None:
    """What fits any base by the count of ``lora.data.captions`` fits each base, style and background."""
    for profile in PROFILES:
        styles = read_table(profile.styles).names if profile.styles else ("",)
        for style, name in product(styles, profile.backgrounds):
            words = profile.caption_template.format(text=captions.with_style_words("", style), name=name)
            assert captions.room("zorvex") <= captions.room("zorvex", words), words
