"""python -m lora export, on adapters of other layers than the usual ones, from their training on."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from lora.__main__ import main
from lora.adapters import lora_layers
from tests.lora.cli.drawing import draw, pixels


@pytest.mark.parametrize("targets", [pytest.param("attention", marks=pytest.mark.slow), "attention+ff+conv"])
def test_other_layers_learn_go_on_are_compared_and_exported(
    targets: str, sample_folder: Path, tiny_folder: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """Train, draw, compare and export with exactly the layers of --lora_targets in the file."""
    flags = [f"--pretrained_model_name_or_path={tiny_folder}", f"--train_data_dir={sample_folder}"]
    flags += [f"--cache_dir={cache_dir}", "--device=cpu", "--threads=1", "--keyword=zorvex", "--rank=4"]
    flags += ["--learning_rate=1e-3", "--lr_warmup_steps=0", "--checkpointing_steps=2"]
    flags += [f"--lora_targets={targets}"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(["train", *flags, "--max_train_steps=4", f"--output_dir={whole}"]) == 0
    assert main(["train", *flags, "--max_train_steps=2", f"--output_dir={broken}"]) == 0
    resume = ["--max_train_steps=4", "--resume_from_checkpoint=latest"]
    assert main(["train", *flags, f"--output_dir={broken}", *resume]) == 0
    mine, theirs = (load_file(run / "pytorch_lora_weights.safetensors") for run in (broken, whole))
    assert mine.keys() == theirs.keys()
    assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) <= 1e-6
    every = lora_layers.TARGETS["attention+ff+conv"]
    named = {name for name in every if any(f".{name}.lora" in key for key in mine)}
    assert named == set(lora_layers.TARGETS[targets])
    drawn = []
    for run in ([], [f"--adapter={whole / 'pytorch_lora_weights.safetensors'}"]):
        assert draw(tiny_folder, cache_dir, tmp_path / f"drawn-{len(run)}", *run) == 0
        drawn.append(pixels(tmp_path / f"drawn-{len(run)}" / "000.png"))
    assert drawn[0] != drawn[1]
    where = [f"--base={tiny_folder}", f"--train_data_dir={sample_folder}", f"--cache_dir={cache_dir}"]
    assert main(["compare", str(whole), *where, "--num_prompts=2", "--steps=2"]) == 0
    for form in ("diffusers", "kohya"):
        out = tmp_path / f"{form}.safetensors"
        assert main(["export", str(whole), "--format", form, "--out", str(out)]) == 0
        assert len(load_file(out)) == len(mine) * (3 if form == "kohya" else 2) / 2
    half = tmp_path / "half.safetensors"
    assert main(["export", str(whole), "--format", "diffusers", "--half", "--out", str(half)]) == 0
    full = tmp_path / "diffusers.safetensors"
    assert half.stat().st_size < 0.7 * full.stat().st_size  # names do not shrink
    assert draw(tiny_folder, cache_dir, tmp_path / "drawn-half", f"--adapter={half}") == 0
