"""Files of other trainers on a real denoiser: the same prediction as the original, or a refusal with its reason."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from PIL import Image
from safetensors.torch import load, load_file, save
from torch import Tensor

from lora.__main__ import main
from lora.adapters import export, lora_layers
from lora.adapters.adapter_file import read_info, read_layers
from lora.adapters.lora_layers import use_file
from lora.jobs import JobError
from lora.models.base_model import Base
from tests.lora.adapters.test_lora_layers import make, predict

UNTOUCHED = 0.01  # a prediction that differs by less is the base's own
Pair = tuple[Tensor, Tensor]


@pytest.fixture(autouse=True)
def bare(base: Base) -> Iterator[Tensor]:
    """What the base predicts without an adapter; it must predict the same in the end, and carry no layers."""
    lora_layers.activate(base, None)
    before = predict(base)
    yield before
    use_file(base, None)
    assert torch.equal(predict(base), before)
    names = {name for _, module in lora_layers._layers(base) for name in module.r}
    assert names == set(lora_layers.loaded_adapters(base).files) == set(base.unet.peft_config)


def paths_of(base: Base, *ends: str) -> list[str]:
    return [path for path, _ in base.unet.named_modules() if path.endswith(ends)]


def pairs(base: Base, ranks: dict[str, int]) -> dict[str, Pair]:
    """Random halves {path: (down, up)} for the layers whose paths end so, of these ranks."""
    made, chance = {}, torch.Generator().manual_seed(5)
    for end, rank in ranks.items():
        for path in paths_of(base, end):
            shape = lora_layers._layer(base, path).weight.shape
            down = torch.randn(rank, *shape[1:], generator=chance) * 0.2
            up = torch.randn(shape[0], rank, *(1 for _ in shape[2:]), generator=chance) * 0.2
            made[path] = (down, up)
    return made


def in_peft(layers: dict[str, Pair], prefix: str = "unet.") -> dict[str, Tensor]:
    tensors = {}
    for path, (down, up) in layers.items():
        tensors[f"{prefix}{path}.lora_A.weight"], tensors[f"{prefix}{path}.lora_B.weight"] = down, up
    return tensors


@torch.no_grad()
def by_hand(base: Base, tiny_folder: Path, layers: dict[str, Pair], alphas: dict[str, float]) -> Tensor:
    """The prediction with ``alpha / rank * up @ down`` added to each weight: no LoRA code is involved."""
    unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet").eval()
    for path, (down, up) in layers.items():
        weight = unet.get_submodule(path).weight
        change = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
        weight += alphas[path] / len(down) * change
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample


def drawn_by_diffusers(base: Base, tiny_folder: Path, data: bytes, folder: Path) -> Tensor:
    """The prediction of a plain StableDiffusionPipeline that has loaded the file."""
    (folder / "a.safetensors").write_bytes(data)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    pipeline.load_lora_weights(folder, weight_name="a.safetensors", adapter_name="a")
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return pipeline.unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample


def same(found: Tensor, expected: Tensor, bare: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (expected - bare).abs().max() > UNTOUCHED


MIXED = {"attn1.to_q": 4, "attn2.to_v": 3, "ff.net.0.proj": 2, "conv1": 5, "proj_in": 4}


def mixed_alphas(layers: dict[str, Pair]) -> dict[str, float]:
    """An alpha that is not the rank for each kind of layer, and one of its own for a single layer."""
    known = {"to_q": 8.0, "to_v": 3.0, "proj": 1.0, "conv1": 2.5, "proj_in": 6.0}
    alphas = {path: known[path.rpartition(".")[2]] for path in layers}
    return {**alphas, next(iter(layers)): 0.5}


def with_alphas(tensors: dict[str, Tensor], alphas: dict[str, float], name: str = "unet.{}") -> bytes:
    numbers = {f"{name.format(path)}.alpha": torch.tensor(alpha) for path, alpha in alphas.items()}
    return save({**tensors, **numbers})


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
            tensors = {}
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
    tensors = {}
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


def settings(**changes: Any) -> dict[str, str]:
    known = {"r": 4, "lora_alpha": 8, "target_modules": ["to_q"], **changes}
    return {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in known.items()})}


DEEP = "[" * 100_000
INFO = {
    "keyword": "zorvex", "base": "tiny", "base_hash": "", "rank": 4, "alpha": 8, "steps": 1, "seed": 1,
    "background": "white",
}  # fmt: skip


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
