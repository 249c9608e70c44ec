"""Files of other trainers: the same prediction as the original, or a refusal with its reason."""

import io
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from safetensors.torch import load, save
from torch import Tensor

from lora.adapters import adapter_file, lora_layers
from lora.adapters.adapter_file import FLOATS, read_header, read_layers, to_bytes
from lora.adapters.lora_layers import use_file
from lora.jobs import JobError
from lora.models.base_model import Base
from tests.lora.adapters.files import (
    DEEP,
    MIXED,
    by_hand,
    in_peft,
    make,
    mixed_alphas,
    pairs,
    predict,
    same,
    with_alphas,
)

pytestmark = pytest.mark.usefixtures("bare")


def test_diffusers_own_kohya_form(base: Base, bare: Tensor) -> None:
    """What diffusers makes of our file for kohya's scripts is read like the file itself."""
    original = make(base, seed=1)
    use_file(base, original)
    expected = predict(base)
    state = {key: value.contiguous() for key, value in load(original).items()}
    converted = convert_state_dict_to_kohya(state)
    theirs = {
        key.replace("unet.", "lora_unet.").replace("lora_unet.", "lora_unet_"): value
        for key, value in converted.items()
    }
    alphas = {key: torch.tensor(8.0) for key in theirs if key.endswith(".alpha")}
    assert len(alphas) * 3 == len(theirs)
    assert use_file(base, save({**theirs, **alphas})) is None
    same(predict(base), expected, bare)


@pytest.mark.parametrize("trainer", ["kohya", "diffusers", "old diffusers", "bare paths"])
def test_mixed_ranks_and_alphas_are_read(trainer: str, base: Base, bare: Tensor, tiny_folder: Path) -> None:
    """Whoever wrote the file, each layer changes by alpha / rank * up @ down, convolutions too."""
    layers = pairs(base, MIXED)
    alphas = mixed_alphas(layers)
    match trainer:
        case "kohya":
            tensors: dict[str, Tensor] = {}
            for path, (down, up) in layers.items():
                name = "lora_unet_" + path.replace(".", "_")
                tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
            numbers = {"lora_unet_" + path.replace(".", "_"): alpha for path, alpha in alphas.items()}
            data = with_alphas(tensors, numbers, "{}")
        case "diffusers":
            data = with_alphas(in_peft(layers), alphas)
        case "old diffusers":
            tensors = in_peft(layers)
            renamed = {
                k.replace("lora_A", "lora.down").replace("lora_B", "lora.up"): v for k, v in tensors.items()
            }
            data = with_alphas(renamed, alphas)
        case "bare paths":
            data = with_alphas(in_peft(layers, ""), alphas, "{}")
    assert use_file(base, data) is None
    same(predict(base), by_hand(base, tiny_folder, layers, alphas), bare)


def test_kohyas_convolutions_fit_linear_projections(base: Base, bare: Tensor, tiny_folder: Path) -> None:
    """kohya's scripts train SD 2's proj_in and proj_out as 1 x 1 convolutions; in diffusers they are linear."""
    layers = pairs(base, {"proj_in": 4, "proj_out": 4})
    tensors: dict[str, Tensor] = {}
    for path, halves in layers.items():
        name = "lora_unet_" + path.replace(".", "_")
        down, up = (half[:, :, None, None].contiguous() for half in halves)
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    use_file(base, save(tensors))
    same(predict(base), by_hand(base, tiny_folder, layers, dict.fromkeys(layers, 4.0)), bare)


def test_pefts_own_files_are_read(base: Base, bare: Tensor, tiny_folder: Path, tmp_path: Path) -> None:
    """PEFT alone puts base_model.model. before each name. Its alpha is not in the file, so it is the rank."""
    unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet").eval()
    model = get_peft_model(unet, LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "ff.net.2"]))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))) * 0.2
    model.save_pretrained(tmp_path)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample
    data = (tmp_path / "adapter_model.safetensors").read_bytes()
    assert all(key.startswith("base_model.model.") for key in load(data))
    use_file(base, data)
    same(predict(base), expected, bare)


def broken(layers: dict[str, Tensor], change: str) -> dict[str, Tensor]:
    """The tensors with one thing wrong."""
    key = next(iter(layers))
    path = key.removeprefix("unet.").removesuffix(".lora_A.weight")
    match change:
        case "of another rank than its other half":
            return {**layers, key: layers[key][:2].contiguous()}
        case "of rank 0":
            up = f"unet.{path}.lora_B.weight"
            return {**layers, key: layers[key][:0], up: layers[up][:, :0].contiguous()}
        case "8-bit floats":
            return {**layers, key: layers[key].to(torch.float8_e4m3fn)}
        case "integers":
            return {**layers, key: layers[key].int()}
        case "a vector":
            return {**layers, key: layers[key].flatten()}
        case "too large for float32":
            return {**layers, key: torch.full_like(layers[key], 1e300, dtype=torch.float64)}
        case "twice":
            return {**layers, f"base_model.model.{path}.lora_A.weight": layers[key].clone()}
        case "an alpha of two numbers":
            return {**layers, f"unet.{path}.alpha": torch.ones(2)}
        case "an alpha that is no number":
            return {**layers, f"unet.{path}.alpha": torch.tensor(float("nan"))}
        case "an alpha alone":
            return {**layers, f"unet.{path}2.alpha": torch.ones(())}
        case "a layer that is a block":
            return {k.replace(path, "mid_block.attentions.0"): v for k, v in layers.items() if path in k}
        case "a norm":
            halves = (("A", torch.ones(1, 32)), ("B", torch.ones(32, 1)))
            return {f"unet.mid_block.attentions.0.norm.lora_{half}.weight": value for half, value in halves}
    raise AssertionError(change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("of another rank than its other half", "do not belong together"),
        ("of rank 0", "do not belong together"),
        ("8-bit floats", "float8"),
        ("integers", "int32"),
        ("a vector", "do not belong together"),
        ("too large for float32", "no numbers"),
        ("twice", "twice"),
        ("an alpha of two numbers", "alpha"),
        ("an alpha that is no number", "alpha"),
        ("an alpha alone", "half of the layer"),
        ("a layer that is a block", "not those of this base"),
        ("a norm", "not those of this base"),
    ],
)
def test_damaged_tensors_are_refused(change: str, reason: str, base: Base) -> None:
    data = save(broken(in_peft(pairs(base, {"to_q": 4})), change))
    with pytest.raises(JobError, match=reason) as refused:
        use_file(base, data)
    assert refused.value.code == "bad-adapter"


@pytest.mark.parametrize(
    "header",
    [
        DEEP.encode(),
        b'{"__metadata__":' + DEEP.encode(),
        b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}',
    ],
)
def test_odd_headers_are_no_safetensors_files(header: bytes, base: Base) -> None:
    """Nesting without an end and types that nobody knows."""
    data = len(header).to_bytes(8, "little") + header + bytes(4)
    with pytest.raises(JobError) as refused:
        read_layers(data)
    assert refused.value.code == "bad-adapter"
    with pytest.raises(JobError) as refused:
        use_file(base, data)
    assert refused.value.code == "bad-adapter"


def test_random_damage_ends_in_one_error(base: Base) -> None:
    """200 files with a few bytes changed: each is used or refused as bad, and no other error comes out."""
    good, chance = make(base, seed=1), torch.Generator().manual_seed(0)
    header = 8 + int.from_bytes(good[:8], "little")
    said = []
    for _ in range(200):
        data = io.BytesIO(good)
        for _ in range(int(torch.randint(1, 4, (1,), generator=chance))):
            data.seek(int(torch.randint(8, header, (1,), generator=chance)))
            data.write(bytes([int(torch.randint(32, 127, (1,), generator=chance))]))
        said.append(outcome(base, data.getvalue()))
    assert set(said) <= {"used", "bad-adapter", "other-base"}
    assert said.count("bad-adapter") > 100


def outcome(base: Base, data: bytes) -> str:
    try:
        lora_layers.fitted(base, data)
    except JobError as error:
        return error.code
    return "used"


def test_a_written_file_is_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, whatever the types, shapes and names; also if it comes from a GPU in one transfer."""
    tensors = {f"{kind}.{n}": torch.randn(n, 3, 1).to(kind) for n in (2, 0, 5) for kind in FLOATS}
    tensors |= {"alpha": torch.tensor(4.0), "turned": torch.randn(3, 5).t(), "sparse": torch.randn(6)[::2]}
    theirs = save({key: value.contiguous() for key, value in tensors.items()}, {"format": "pt"})
    assert to_bytes(tensors, {"format": "pt"}) == theirs
    monkeypatch.setattr(adapter_file, "_in_main_memory", lambda parts: [torch.cat(parts).cpu()])
    assert to_bytes(tensors, {"format": "pt"}) == theirs
    several = to_bytes(tensors, {"b": "1", "a": "é"})
    assert several == to_bytes(dict(reversed(tensors.items())), {"a": "é", "b": "1"})
    assert read_header(several) == {"a": "é", "b": "1"}
