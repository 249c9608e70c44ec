"""The SD 2.1 path on networks of its exact shape, narrower, in both editions: load, train, draw, share, one file."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from benchmarks import sd21_shape
from lora.__main__ import main
from lora.adapters import adapter_file, export, lora_layers
from lora.drawing import sampling, solver
from lora.errors import BaseError
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, TrainSettings
from lora.models import base_model, sd21
from lora.models.base_model import Base
from lora.training import loop
from lora.training.plan import make_plan
from tests.lora.ldm import to_ldm

EDITIONS = [sd21.V_768, sd21.EPSILON_512]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sd21")
    return {edition: sd21_shape.make(root / edition, sd21_shape.scaled(edition)) for edition in EDITIONS}


@pytest.fixture(params=EDITIONS)
def edition(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bases(folders: dict[str, Path], cache_dir: Path) -> dict[str, Base]:
    return {edition: base_model.load(str(folders[edition]), cache_dir, "cpu") for edition in EDITIONS}


@pytest.fixture
def sd(bases: dict[str, Base], edition: str) -> Base:
    return bases[edition]


# Where the prediction type makes no difference: SD 2.1 of 768 px, and the other one in ``make test-all``.
MOSTLY_ONE = pytest.mark.parametrize(
    "edition", [sd21.V_768, pytest.param(sd21.EPSILON_512, marks=pytest.mark.slow)], indirect=True
)


def learned(
    base: Base, samples: tuple[Sample, ...], steps: int = 6, targets: str = "attention+ff"
) -> tuple[bytes, list[float]]:
    """An adapter of alpha twice its rank, loud enough to be seen, and its losses."""
    settings = TrainSettings(steps=steps, batch_size=1, rank=4, learning_rate=2e-2, checkpoint_steps=steps)
    how = replace(make_plan(base, settings, samples=len(samples)), alpha=8.0, warmup_steps=0)
    how = replace(how, lora_targets=targets)
    job = Train(id=0, attempt=1, keyword="zorvex", samples=samples, settings=settings)
    events = list(loop.train(base, job, how))
    losses = [event.loss for event in events if isinstance(event, Progress) and event.loss is not None]
    return next(event.adapter for event in events if isinstance(event, Checkpoint)), losses


def ours(base: Base, adapter: bytes | None) -> Image.Image:
    item = sampling.Item(prompt="zorvex a cat", adapter=adapter, seed=3, cfg=5.0)
    return next(
        one.image for one in sampling.draw(base, [item], steps=6) if isinstance(one, sampling.Picture)
    )


def theirs(
    base: Base, folder: Path, adapter: bytes, directory: Path, background: str = "white"
) -> Image.Image:
    """The same picture by a fresh StableDiffusionPipeline that has loaded the adapter from a file."""
    from diffusers import StableDiffusionPipeline

    (directory / "theirs.safetensors").write_bytes(adapter)
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(directory, weight_name="theirs.safetensors")
    pipeline.scheduler = solver.make_scheduler(base, 6)
    side = base.unet.config.sample_size
    latents = torch.randn((1, 4, side, side), generator=torch.Generator().manual_seed(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pipeline(
            base.with_background("zorvex a cat", background),
            latents=latents,
            num_inference_steps=6,
            guidance_scale=5.0,
        ).images[0]


def distance(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any channel of any pixel, of 255."""
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


def test_what_it_predicts_is_read_from_its_scheduler(sd: Base, edition: str) -> None:
    """768 px and velocity, or 512 px and noise: from its own files, with the head counts and switches of SD 2.1."""
    assert sd.scheduler.config.prediction_type == ("v_prediction" if edition == sd21.V_768 else "epsilon")
    assert sd.unet.config.attention_head_dim == [5, 10, 20, 20]
    assert sd.unet.config.upcast_attention is (edition == sd21.V_768)
    assert sd.text_encoder.config.num_hidden_layers == 23
    assert sd.tokenizer.pad_token_id == 0


@MOSTLY_ONE
def test_trained_adapters_draw_the_same_in_diffusers(
    sd: Base,
    edition: str,
    folders: dict[str, Path],
    samples: tuple[Sample, ...],
    tmp_path: Path,
) -> None:
    """Trained here, then loaded by load_lora_weights as it is, and as both exports: three times the same picture."""
    targets = "attention+ff+conv" if edition == sd21.V_768 else "attention+ff"
    adapter, losses = learned(sd, samples, targets=targets)
    assert np.isfinite(losses).all()
    picture = ours(sd, adapter)
    about = adapter_file.read_info(adapter)
    assert about is not None
    assert (about.prediction_type, about.resolution) == (sd.scheduler.config.prediction_type, 64)
    assert distance(picture, ours(sd, None)) > 8
    for form in (adapter, export.to_diffusers(adapter, "x"), export.to_kohya(adapter, "x")):
        assert distance(picture, theirs(sd, folders[edition], form, tmp_path, about.background)) <= 1


def test_an_adapter_of_one_edition_is_refused_on_the_other(
    bases: dict[str, Base], samples: tuple[Sample, ...]
) -> None:
    """All shapes fit, and yet it would ruin pictures: the base's hash tells."""
    # Made from one seed, both have the same random numbers.
    other = replace(bases[sd21.EPSILON_512], hash="f" * 64)
    adapter, _ = learned(bases[sd21.V_768], samples, steps=1)
    with pytest.raises(JobError) as refused:
        lora_layers.use_file(other, adapter)
    assert refused.value.code == "other-base"


@MOSTLY_ONE
def test_a_single_file_is_the_same_base(
    edition: str, folders: dict[str, Path], cache_dir: Path, tmp_path: Path
) -> None:
    """A1111's form, with a note of what it is like: every weight, the tokenizer and the prediction type are right."""
    sd = base_model.load(str(folders[edition]), cache_dir, "cpu")
    file = tmp_path / "model.safetensors"
    save_file(to_ldm(folders[edition]), file)
    with pytest.raises(BaseError, match="predicts noise or velocity"):
        base_model.load(str(file), tmp_path, "cpu")
    file.with_suffix(".json").write_text(f'{{"like": "{folders[edition]}"}}')
    loaded = base_model.load(str(file), tmp_path, "cpu")
    assert loaded.name == "model"
    assert loaded.scheduler.config.prediction_type == sd.scheduler.config.prediction_type
    for part in ("unet", "vae", "text_encoder"):
        expected = getattr(sd, part).state_dict()
        found = getattr(loaded, part).state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert distance(ours(loaded, None), ours(sd, None)) == 0


def test_a_full_disk_is_not_the_files_fault(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is whole, and there is no room to unpack it: nothing half-made stays, and nothing is said of tensors."""

    def full_disk(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    file = tmp_path / "model.safetensors"
    save_file(to_ldm(folders[sd21.V_768]), file)
    file.with_suffix(".json").write_text(f'{{"like": "{folders[sd21.V_768]}"}}')
    monkeypatch.setattr("safetensors.torch.serialize_file", full_disk)
    with pytest.raises(BaseError, match=r"cache/single-\S+: No space left on device"):
        base_model.load(str(file), tmp_path / "cache", "cpu")
    assert not list((tmp_path / "cache").glob("*single-*"))


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    """Damaged, missing, or something else: one line each, and no half-made folder."""
    file = tmp_path / "other.safetensors"
    with pytest.raises(BaseError, match="no such file"):
        base_model.load(str(file), tmp_path / "cache", "cpu")
    file.write_bytes(b"nothing")
    with pytest.raises(BaseError, match="damaged"):
        base_model.load(str(file), tmp_path / "cache", "cpu")
    save_file({"a": torch.zeros(1)}, file, metadata={"modelspec.architecture": "stable-diffusion-v2-512"})
    with pytest.raises(BaseError, match="not those of such a base"):
        base_model.load(str(file), tmp_path / "cache", "cpu")
    assert not list((tmp_path / "cache").glob("*single-*"))


def test_the_full_size_has_the_published_size() -> None:
    """866 M weights in the denoiser and 340 M in the text encoder, as SD 2.1 has; nothing is allocated for it."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**sd21.UNET)
        text_encoder = CLIPTextModel(CLIPTextConfig(**sd21.TEXT_ENCODER))
    assert sum(weight.numel() for weight in unet.parameters()) == 865_910_724
    assert sum(weight.numel() for weight in text_encoder.parameters()) == 340_387_840


def test_doctor_tries_a_base(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it saw and leaves two pictures; a base that is not there is an exit code and a reason."""
    flags = ["--cache_dir", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu", "--offline"]
    brief = ["--steps", "2", "--draw_steps", "2"]
    assert main(["doctor", "--base", str(folders[sd21.EPSILON_512]), *flags, *brief]) == 0
    said = capsys.readouterr().out
    assert all(
        word in said
        for word in (
            "any other base",
            "predicts epsilon",
            "64 px",
            "float32",
            "2 steps",
            "GB at most",
            "loss",
        )
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"before.png", "after.png"}
    assert main(["doctor", "--base", "sd-2.1", *flags]) == 2
    assert "python -m lora fetch sd-2.1" in capsys.readouterr().err


def test_export_names_sd2_and_keeps_peoples_words_out(
    sd: Base, edition: str, samples: tuple[Sample, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kohya's names with alpha; its edition for SD 2 alone; the keyword, but no caption and no file name.

    Of a run it is the chosen adapter, if there is one.
    """
    adapter, _ = learned(sd, samples, steps=1)
    checkpoint = tmp_path / "run" / "checkpoint-1"
    checkpoint.mkdir(parents=True)
    (checkpoint / "pytorch_lora_weights.safetensors").write_bytes(adapter)
    out = tmp_path / "bear.safetensors"
    assert main(["export", str(tmp_path / "run"), "--format", "kohya", "--out", str(out)]) == 2
    assert main(["export", str(checkpoint), "--format", "kohya", "--out", str(out)]) == 0
    tensors = load_file(out)
    assert tensors["lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0.alpha"] == 8
    assert len(tensors) % 3 == 0
    with safe_open(out, "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.trigger_phrase"] == "zorvex"
    assert "modelspec.usage_hint" not in metadata
    assert metadata["ss_output_name"] == metadata["modelspec.title"] == "bear"
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("4", "8.0")
    assert metadata["modelspec.prediction_type"] == ("v" if edition == sd21.V_768 else "epsilon")
    assert "ss_base_model_version" not in metadata  # too narrow to be SD 2
    assert not any(sample.caption in str(metadata) for sample in samples)
    (tmp_path / "run" / "pytorch_lora_weights.safetensors").write_bytes(b"the last, and not the chosen one")
    (tmp_path / "run" / "best.safetensors").write_bytes(adapter)
    assert main(["export", str(tmp_path / "run"), "--format", "kohya", "--out", str(out)]) == 0
    assert "best.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "version"), [("v_prediction", "sd_v2_v"), ("epsilon", "sd_v2")])
def test_real_sd2_is_named(kind: str, version: str) -> None:
    """Layers of SD 2's real widths get its version and architecture, by what the base predicts."""
    layers = {
        f"{block}.attn2.to_k": adapter_file.LayerWeights(torch.zeros(4, 1024), torch.zeros(channels, 4), 4.0)
        for block, channels in (("a", 320), ("b", 640), ("c", 1280))
    }
    about = adapter_file.AdapterInfo(
        keyword="", base="x", base_hash="x", rank=4, alpha=4, steps=1, seed=0, background="white",
        prediction_type=kind, resolution=512, style_words="thick outlines",
    )  # fmt: skip
    metadata = export._kohya_metadata(layers, about, "t")
    assert metadata["ss_base_model_version"] == version
    assert metadata["ss_v2"] == "True"
    assert metadata["modelspec.resolution"] == "512x512"
    assert metadata["modelspec.usage_hint"] == "Prompts end with: thick outlines"
    assert "modelspec.trigger_phrase" not in metadata


@MOSTLY_ONE
def test_attention_only_adapters_are_exported(
    sd: Base, edition: str, folders: dict[str, Path], samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    """A file without feed-forward layers, as the reference script makes them, is exported as it is."""
    from safetensors.torch import load

    adapter, _ = learned(sd, samples, steps=2)
    attention = {key: value for key, value in load(adapter).items() if ".ff." not in key}
    assert len(attention) == 256
    theirs_names = {
        key.replace("lora_A", "lora.down").replace("lora_B", "lora.up"): value
        for key, value in attention.items()
    }
    plain = adapter_file.to_bytes(theirs_names, {"format": "pt"})
    picture = theirs(sd, folders[edition], export.to_diffusers(plain, "x"), tmp_path)
    assert distance(picture, theirs(sd, folders[edition], export.to_kohya(plain, "x"), tmp_path)) <= 1
    assert distance(picture, ours(sd, plain)) <= 1


@MOSTLY_ONE
def test_convolutions_are_exported_as_kohya_has_them(sd: Base, samples: tuple[Sample, ...]) -> None:
    """Down keeps the kernel and up is 1 x 1, each with its alpha; their rank is named as sd-scripts' conv_dim."""
    from safetensors.torch import load

    adapter, _ = learned(sd, samples, steps=1, targets="attention+ff+conv")
    exported = export.to_kohya(adapter, "x")
    tensors, metadata = load(exported), adapter_file.read_header(exported)
    name = "lora_unet_down_blocks_1_resnets_0_conv1"
    assert tensors[f"{name}.lora_down.weight"].shape == (4, 40, 3, 3)
    assert tensors[f"{name}.lora_up.weight"].shape == (80, 4, 1, 1)
    assert tensors[f"{name}.alpha"] == 8
    resnets = [key for key in tensors if "_resnets_" in key and key.endswith("lora_down.weight")]
    assert len(resnets) == 2 * 22  # SD 2.1 has 8 of them on its way down, 2 in the middle, 12 on its way up
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "4", "conv_alpha": "8.0"}
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("4", "8.0")
    plain, _ = learned(sd, samples, steps=1)
    assert "ss_network_args" not in adapter_file.read_header(export.to_kohya(plain, "x"))
