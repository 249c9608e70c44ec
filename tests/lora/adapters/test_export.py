"""Exports draw like the original, in diffusers and in kohya's form."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load, load_file, save
from torch import Tensor

from lora.__main__ import main
from lora.adapters import export
from lora.adapters.adapter_file import read_header, read_info
from lora.adapters.lora_layers import use_file
from lora.models.base_model import Base
from tests.lora.adapters.files import (
    by_hand,
    drawn_by_diffusers,
    in_peft,
    make,
    pairs,
    predict,
    same,
    with_alphas,
)

pytestmark = pytest.mark.usefixtures("bare")


def test_our_own_kohya_export_is_drawn_as_the_original(base: Base, bare: Tensor) -> None:
    """With alpha twice the rank; it still says which base it is for, and its keyword."""
    original = make(base, seed=1)
    exported = export.to_kohya(original, "x")
    assert use_file(base, original) == use_file(base, exported) == read_info(original)
    use_file(base, original)
    expected = predict(base)
    use_file(base, exported)
    same(predict(base), expected, bare)


def test_draw_takes_our_own_kohya_export(base: Base, tiny_folder: Path, tmp_path: Path) -> None:
    """The command line draws the same picture with the original and with the export, and another one without."""
    original, exported = tmp_path / "a.safetensors", tmp_path / "kohya.safetensors"
    original.write_bytes(make(base, seed=1))
    (tmp_path / "prompts.txt").write_text("a cat\n")
    assert main(["export", str(original), "--format", "kohya", "--out", str(exported)]) == 0
    pictures = []
    for adapter in ([], ["--adapter", str(original)], ["--adapter", str(exported)]):
        flags = ["--base", str(tiny_folder), "--cache_dir", str(tmp_path), "--steps", "3", "--device", "cpu"]
        files = ["--prompts", str(tmp_path / "prompts.txt"), "--out", str(tmp_path / "out")]
        assert main(["draw", *flags, *files, *adapter]) == 0
        with Image.open(tmp_path / "out" / "000.png") as picture:
            pictures.append(picture.tobytes())
    assert pictures[1] == pictures[2] != pictures[0]


def test_a_title_that_is_no_text_makes_no_damaged_file(base: Base) -> None:
    """It is the name of the file, which need not be UTF-8; the format's library reads no halves of characters."""
    exported = export.to_kohya(make(base, seed=1), os.fsdecode(b"caf\xe9"))
    load(exported)
    assert read_header(exported)["modelspec.title"] == "caf?"


@pytest.mark.parametrize("form", ["diffusers", "kohya"])
@pytest.mark.parametrize("with_alpha", [True, False])
def test_exports_of_mixed_files_load_in_diffusers(
    form: str, with_alpha: bool, base: Base, bare: Tensor, tiny_folder: Path, tmp_path: Path
) -> None:
    """Every layer keeps its rank and its alpha, which is its rank if the file names none.

    diffusers 0.42 ignores the alphas of attention layers in kohya's form if they differ: that form is read here alone.
    """
    layers = pairs(base, {"attn1.to_q": 4, "ff.net.2": 2, "conv1": 3})
    known = {"to_q": 8.0, "2": 0.5, "conv1": 3.0}
    alphas = {path: float(len(down)) for path, (down, _) in layers.items()}
    if with_alpha:
        alphas = {path: known[path.rpartition(".")[2]] for path in layers}
    data = with_alphas(in_peft(layers), alphas if with_alpha else {})
    exported = export.FORMATS[form](data, "x")
    expected = by_hand(base, tiny_folder, layers, alphas)
    if form == "diffusers":
        same(drawn_by_diffusers(base, tiny_folder, exported, tmp_path), expected, bare)
    use_file(base, exported)
    same(predict(base), expected, bare)


def test_export_does_not_keep_foreign_names(base: Base, tmp_path: Path) -> None:
    """PEFT's prefix is gone from both exports; a file that is no LoRA of a denoiser is refused with its path."""
    source, out = tmp_path / "peft.safetensors", tmp_path / "out.safetensors"
    source.write_bytes(save(in_peft(pairs(base, {"to_q": 2}), "base_model.model.")))
    for form, start in (("diffusers", "unet.down_blocks."), ("kohya", "lora_unet_down_blocks_")):
        assert main(["export", str(source), "--format", form, "--out", str(out)]) == 0
        assert any(key.startswith(start) for key in load_file(out))
        assert not any("base_model" in key for key in load_file(out))


def test_text_encoders_are_named_as_the_reason(
    base: Base, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person at the terminal reads the file's path and what is not used of it."""
    tensors = in_peft(pairs(base, {"to_q": 2}))
    tensors["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.ones(2, 32)
    source = tmp_path / "both.safetensors"
    source.write_bytes(save(tensors))
    assert main(["export", str(source), "--format", "kohya", "--out", str(tmp_path / "o.safetensors")]) == 2
    said = capsys.readouterr().err
    assert str(source) in said
    assert "text encoder" in said
