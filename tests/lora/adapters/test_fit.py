"""Whether an adapter fits a base is seen in its header: whoever made it, and whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load, save

from lora.adapters import export, fit, peft_settings
from lora.adapters.fit import Layers
from lora.adapters.layer_names import BadAdapter
from lora.models import sd21, sticker_nano

FILE = Path(fit.__file__).parents[1] / "bundled" / "ready-style.safetensors"


def layers_of(config: dict[str, object]) -> Layers:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return {
        path: tuple(layer.weight.shape) for path, layer in unet.named_modules() if isinstance(layer, kinds)
    }


@pytest.fixture(scope="module")
def nano() -> Layers:
    """The layers of the bundled base."""
    return layers_of(sticker_nano.UNET)


def renamed(old: str, new: str) -> bytes:
    """The bundled adapter with another prefix of its tensors' names."""
    return save({name.replace(old, new): tensor for name, tensor in load(FILE.read_bytes()).items()})


def with_header(header: object, rest: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def test_files_of_all_trainers_fit(nano: Layers) -> None:
    """diffusers', kohya's and PEFT's names; the keyword and the base are read where they are said."""
    data = FILE.read_bytes()
    about = fit.check(data, nano)
    assert about.keyword == "bomux"
    assert len(about.base_hash) == 64
    kohya = export.to_kohya(data, "bomux")
    assert fit.check(kohya, nano).keyword == "bomux"
    tensors = load(kohya)
    foreign = save(tensors, {"modelspec.trigger_phrase": "my cat"})
    assert fit.check(foreign, nano).keyword == "my cat"
    assert fit.check(save(tensors), nano).base_hash == ""
    fit.check(renamed("unet.", "base_model.model."), nano)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (torch.float16, torch.inf),
        (torch.bfloat16, -torch.inf),
        (torch.bfloat16, torch.nan),
        (torch.float32, torch.nan),
        (torch.float64, 1e300),
    ],
)
def test_weights_that_are_not_finite_are_refused(dtype: torch.dtype, value: float, nano: Layers) -> None:
    """In any form that is read, and in the last place of the file, too. 1e300 is infinite as float32."""
    tensors = {name: tensor.to(dtype) for name, tensor in load(FILE.read_bytes()).items()}
    fit.check(save(tensors), nano)
    for name in (min(tensors), max(tensors)):
        changed = tensors[name].clone()
        changed.view(-1)[-1] = value
        with pytest.raises(BadAdapter) as refused:
            fit.check(save(tensors | {name: changed}), nano)
        assert refused.value.reason == "not-finite"


def test_an_alpha_that_is_no_number_is_refused(nano: Layers) -> None:
    """It scales a whole layer."""
    tensors = load(export.to_kohya(FILE.read_bytes(), "bomux"))
    name = next(name for name in tensors if name.endswith(".alpha"))
    with pytest.raises(BadAdapter) as refused:
        fit.check(save(tensors | {name: torch.tensor(torch.nan)}), nano)
    assert refused.value.reason == "not-finite"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"lora_alpha": float("nan")}, "damaged"), ({"lora_alpha": 4, "use_dora": True}, "other-method")],
)
def test_settings_that_cannot_be_drawn_with_are_refused(
    settings: dict[str, object], reason: str, nano: Layers
) -> None:
    """PEFT's own in the header: the worker would refuse the file at its first drawing."""
    tensors = load(FILE.read_bytes())
    fit.check(save(tensors, peft_settings.to_entry({"lora_alpha": 4})), nano)
    with pytest.raises(BadAdapter) as refused:
        fit.check(save(tensors, peft_settings.to_entry(settings)), nano)
    assert refused.value.reason == reason


def test_all_numbers_are_looked_at_in_pieces(nano: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a large file takes no memory; a fault in the last piece, which is shorter, is seen."""
    monkeypatch.setattr(fit, "AT_ONCE", 1000)
    tensors = load(FILE.read_bytes())
    fit.check(save(tensors), nano)
    name = max(tensors, key=lambda name: tensors[name].numel())
    tensors[name].view(-1)[-1] = torch.nan
    with pytest.raises(BadAdapter) as refused:
        fit.check(save(tensors), nano)
    assert refused.value.reason == "not-finite"


def test_tensors_in_one_place_are_refused(nano: Layers) -> None:
    """A small file could else claim to hold hundreds of large layers, and each would be read."""
    header = {f"{NAME}{n}": _tensor() for n in range(2)}
    with pytest.raises(BadAdapter) as refused:
        fit.check(with_header(header, bytes(16)), nano)
    assert refused.value.reason == "damaged"


def test_files_for_other_bases_do_not(nano: Layers) -> None:
    """By their sizes, and by the names of their layers."""
    with pytest.raises(BadAdapter) as other:
        fit.check(FILE.read_bytes(), layers_of(sd21.UNET))
    assert other.value.reason == "other-base"
    with pytest.raises(BadAdapter) as unknown:
        fit.check(renamed("attentions.0", "attentions.7"), nano)
    assert unknown.value.reason == "other-base"


def _tensor(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [1, 4], "data_offsets": [0, 16]} | changes


NAME = "unet.down_blocks.0.attentions.0.proj_in.lora_A.weight"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no-safetensors"),
        (b"\x80\x04}q\x00." * 9, "no-safetensors"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "no-safetensors"),
        ((9 << 20).to_bytes(8, "little") + b"{" + b" " * (10 << 20), "no-safetensors"),
        ((100_000).to_bytes(8, "little") + b'{"a":' * 20_000, "damaged"),
        (with_header({}), "damaged"),
        (with_header({NAME: 1}), "damaged"),
        (with_header({NAME: _tensor()}), "damaged"),
        (with_header({NAME: _tensor()}, bytes(16)), "damaged"),
        (with_header({NAME: _tensor(shape=[1 << 40, 1 << 40])}, bytes(16)), "damaged"),
        (with_header({NAME: _tensor(shape=[-1, -4])}, bytes(16)), "damaged"),
        (with_header({NAME: _tensor(shape="ab")}, bytes(16)), "damaged"),
        (with_header({NAME: _tensor(dtype={"a": 1})}, bytes(16)), "damaged"),
        (with_header({NAME: _tensor(dtype="F8_E4M3")}, bytes(16)), "numbers"),
        (with_header({"text_encoder.x.lora_A.weight": _tensor()}, bytes(16)), "text-encoder"),
        (with_header({NAME.replace("lora_A.weight", "dora_scale"): _tensor()}, bytes(16)), "other-method"),
        (with_header({"model.diffusion_model.x": _tensor()}, bytes(16)), "other-names"),
    ],
)
def test_what_is_wrong_is_told_by_its_reason(data: bytes, reason: str, nano: Layers) -> None:
    """A file is judged before anything of its size is allocated."""
    with pytest.raises(BadAdapter) as refused:
        fit.check(data, nano)
    assert refused.value.reason == reason
