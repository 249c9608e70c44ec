"""LoRA files: what is in them, where they load, what is refused, and that the base stays what it was."""

import io
import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft.tuners.lora import LoraLayer
from safetensors.torch import load, save
from torch import Tensor

from lora.adapters import lora_layers
from lora.adapters.lora_layers import use_file
from lora.jobs import JobError
from lora.models import base_model
from lora.models.base_model import Base
from tests.lora.adapters.files import about, in_peft, make, pairs, predict


def test_a_file_loads_to_what_was_saved(base: Base, bare: Tensor) -> None:
    """An alpha of twice the rank survives: without metadata diffusers would halve the adapter's strength."""
    weights = lora_layers.add(base, "live", rank=4, alpha=8, seed=1)
    for weight in weights:
        weight.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    lora_layers.activate(base, "live")
    live = predict(base)
    data = lora_layers.save_adapter(base, "live", about(base))
    lora_layers.remove(base, "live")
    assert use_file(base, data) == about(base)
    torch.testing.assert_close(predict(base), live, atol=1e-6, rtol=0)
    assert (live - bare).abs().max() > 0.01


def test_a_file_loads_in_plain_diffusers(base: Base, bare: Tensor, tiny_folder: Path, tmp_path: Path) -> None:
    """Anybody's StableDiffusionPipeline takes the file, at the right strength, on all kinds of layer."""
    data = make(base, seed=1)
    (tmp_path / "a.safetensors").write_bytes(data)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="a")
    layers = {name: layer for name, layer in pipeline.unet.named_modules() if isinstance(layer, LoraLayer)}
    assert {layer.scaling["a"] for layer in layers.values()} == {2.0}
    assert all(
        any(name.endswith(f".{target}") for name in layers) for target in lora_layers.TARGETS["attention+ff"]
    )
    use_file(base, data)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = pipeline.unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample
    torch.testing.assert_close(predict(base), theirs, atol=1e-5, rtol=0)


def test_the_reference_scripts_file_loads(base: Base, bare: Tensor) -> None:
    """A LoRA of diffusers' own script, named down and up and without our metadata, is taken as it is."""
    tensors = load(make(base, seed=1))
    theirs = save(
        {k.replace("lora_A", "lora.down").replace("lora_B", "lora.up"): v for k, v in tensors.items()}
    )
    assert use_file(base, theirs) is None
    assert (predict(base) - bare).abs().max() > 0.01


def test_many_adapters_take_turns(base: Base, bare: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """More adapters than stay loaded, of different ranks: each draws the same every time."""
    monkeypatch.setattr(lora_layers, "LOADED_AT_ONCE", 3)
    files = [make(base, seed=number, rank=2 + number % 3) for number in range(5)]
    first = []
    for file in files:
        use_file(base, file)
        first.append(predict(base))
    assert len({tuple(prediction.flatten().tolist()) for prediction in first}) == len(files)
    assert len(lora_layers.loaded_adapters(base).files) <= lora_layers.LOADED_AT_ONCE
    for file, before in zip(files, first, strict=True):
        use_file(base, file)
        assert torch.equal(predict(base), before)


def test_adapters_of_another_base_are_refused(
    base: Base, bare: Tensor, other_folder: Path, cache_dir: Path
) -> None:
    """Drawn with another base a LoRA gives rubbish, though all shapes fit: the hash refuses it."""
    other = base_model.load(str(other_folder), cache_dir, "cpu")
    with pytest.raises(JobError) as refused:
        use_file(base, make(other, seed=1))
    assert refused.value.code == "other-base"


def changed(data: bytes, change: str) -> bytes:
    """The file with one thing wrong in it."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    tensors, metadata = load(data), header["__metadata__"]
    name = next(key for key in tensors if "lora_A" in key)
    match change:
        case "cut off":
            return data[: len(data) // 2]
        case "header only":
            return data[:40]
        case "empty":
            return b""
        case "a pickle":
            buffer = io.BytesIO()
            torch.save(tensors, buffer)
            return buffer.getvalue()
        case "no tensors":
            tensors = {}
        case "half a pair":
            del tensors[name]
        case "a foreign layer":
            tensors["unet.nowhere.to_q.lora_A.weight"] = tensors[name].clone()
            tensors["unet.nowhere.to_q.lora_B.weight"] = tensors[name.replace("_A", "_B")].clone()
        case "a text encoder":
            tensors["text_encoder.layers.0.lora_A.weight"] = tensors[name].clone()
        case "another size":
            tensors[name] = torch.zeros(4, 999)
        case "not a number":
            tensors[name] = torch.full_like(tensors[name], float("nan"))
        case "a broken description":
            metadata["stickersmith"] = '{"rank": 4}'
    return save(tensors, metadata=metadata)


@pytest.mark.parametrize(
    "change",
    [
        "cut off",
        "header only",
        "empty",
        "a pickle",
        "no tensors",
        "half a pair",
        "a foreign layer",
        "a text encoder",
        "another size",
        "not a number",
        "a broken description",
    ],
)
def test_damaged_files_are_refused(base: Base, bare: Tensor, change: str) -> None:
    """Whatever is wrong with a file, the person hears that it is bad, and the base goes on as before."""
    good = make(base, seed=1)
    with pytest.raises(JobError) as refused:
        use_file(base, changed(good, change))
    assert refused.value.code == "bad-adapter"
    use_file(base, good)
    assert (predict(base) - bare).abs().max() > 0.01


def test_only_a_trained_adapter_collects_gradients(base: Base, bare: Tensor) -> None:
    """While somebody draws, no gradient is kept; the base's own weights never get one."""
    use_file(base, make(base, seed=1))
    assert not any(weight.requires_grad for weight in base.unet.parameters())
    weights = lora_layers.add(base, "live", rank=2, alpha=2, seed=1)
    lora_layers.activate(base, "live", train=True)
    trained = {id(weight) for weight in base.unet.parameters() if weight.requires_grad}
    assert trained == {id(weight) for weight in weights}
    use_file(base, None)
    assert not any(weight.requires_grad for weight in base.unet.parameters())
    lora_layers.remove(base, "live")


@pytest.mark.parametrize("when", ["inject_adapter_in_model", "set_peft_model_state_dict"])
@pytest.mark.parametrize("error", [AttributeError("x"), RecursionError(), KeyError("x")])
def test_a_failure_inside_peft_leaves_no_layers(
    when: str, error: Exception, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever PEFT raises, and whether its layers are there by then, the file is refused and nothing stays."""
    use_file(base, None)
    for name in lora_layers.loaded_adapters(base).files.copy():
        lora_layers.remove(base, name)
    lora_layers.loaded_adapters(base).files.clear()
    data = save(in_peft(pairs(base, {"to_q": 4})))
    real = getattr(peft, when)

    def fails(*args: Any, **more: Any) -> None:
        real(*args, **more)
        assert any(isinstance(module, LoraLayer) for module in base.unet.modules())
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(peft, when, fails)
        with pytest.raises(JobError) as refused:
            use_file(base, data)
    assert refused.value.code == "bad-adapter"
    use_file(base, data)
