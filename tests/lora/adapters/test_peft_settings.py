"""PEFT's settings in a file's header: used where they matter, refused where they are damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from safetensors.torch import save
from torch import Tensor

from lora.adapters.lora_layers import use_file
from lora.jobs import JobError
from lora.models.base_model import Base
from tests.lora.adapters.files import DEEP, in_peft, pairs, predict, same

pytestmark = pytest.mark.usefixtures("bare")


def settings(**changes: Any) -> dict[str, str]:
    known = {"r": 4, "lora_alpha": 8, "target_modules": ["to_q"], **changes}
    return {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in known.items()})}


INFO = {
    "keyword": "zorvex", "base": "tiny", "base_hash": "", "rank": 4, "alpha": 8, "steps": 1, "seed": 1,
    "background": "white",
}  # fmt: skip


def test_pefts_patterns_in_the_header_are_read(
    base: Base, bare: Tensor, tiny_folder: Path, tmp_path: Path
) -> None:
    """What diffusers saves of an adapter with rank_pattern, alpha_pattern and rsLoRA is used as diffusers uses it."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    one = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    config = LoraConfig(
        r=4, lora_alpha=2, target_modules=["to_q", "ff.net.2"], init_lora_weights=False, use_rslora=True,
        rank_pattern={"ff.net.2": 2}, alpha_pattern={"ff.net.2": 5, f"^{one}": 9},
    )  # fmt: skip
    pipeline.unet.add_adapter(config, adapter_name="a")
    pipeline.unet.save_lora_adapter(tmp_path, adapter_name="a", weight_name="a.safetensors")
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = pipeline.unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample
    use_file(base, (tmp_path / "a.safetensors").read_bytes())
    same(predict(base), expected, bare)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"lora_adapter_metadata": "{"}, "PEFT's settings"),
        ({"lora_adapter_metadata": DEEP}, "PEFT's settings"),
        ({"lora_adapter_metadata": "[1]"}, "PEFT's settings"),
        (settings(lora_alpha="eight"), "PEFT's settings"),
        (settings(lora_alpha=None), "PEFT's settings"),
        (settings(lora_alpha=float("inf")), "PEFT's settings"),
        (settings(lora_alpha=10**400), "PEFT's settings"),
        (settings(alpha_pattern={"(": 4}), "PEFT's settings"),
        (settings(alpha_pattern={"(a+)+b": 4}), "PEFT's settings"),
        (settings(alpha_pattern=7), "PEFT's settings"),
        (settings(use_dora=True), "DoRA"),
        ({"stickersmith": DEEP}, "description"),
        ({"stickersmith": "[]"}, "description"),
        ({"stickersmith": json.dumps({**INFO, "background": ["white"]})}, "background in a wrong form"),
        ({"stickersmith": json.dumps({**INFO, "keyword": "\ud800"})}, "description"),
        ({"stickersmith": json.dumps({**INFO, "rank": True})}, "rank in a wrong form"),
        ({"stickersmith": json.dumps({**INFO, "style_words": "x " * 101})}, "style words are too long"),
        ({"stickersmith": json.dumps({**INFO, "style_words": "\ud83d"})}, "description cannot be read"),
    ],
)
def test_damaged_headers_are_refused(metadata: dict[str, str], reason: str, base: Base) -> None:
    """Nothing of a header reaches PEFT: no regular expression, no odd type, no endless nesting."""
    data = save(in_peft(pairs(base, {"to_q": 4})), metadata=metadata)
    with pytest.raises(JobError, match=reason) as refused:
        use_file(base, data)
    assert refused.value.code == "bad-adapter"


@pytest.mark.parametrize(
    "odd",
    [
        {"target_modules": None},
        {"target_modules": "("},
        {"target_modules": 5},
        {"rank_pattern": {"(": 3}},
        {"layers_to_transform": "x"},
        {"r": "many"},
        {"peft_type": "NOTHING"},
        {"init_lora_weights": "pissa"},
        {"loftq_config": 3},
        {"modules_to_save": ["conv_in"]},
        {"unknown": 1},
    ],
)
def test_settings_that_change_nothing_are_not_read(odd: dict[str, Any], base: Base, bare: Tensor) -> None:
    """Ranks and layers are those of the tensors, whatever the header says of them."""
    layers = in_peft(pairs(base, {"to_q": 4}))
    use_file(base, save(layers, metadata=settings()))
    expected = predict(base)
    use_file(base, save(layers, metadata=settings(**odd)))
    same(predict(base), expected, bare)
