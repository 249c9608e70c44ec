"""Adapter files of many forms, and what the base predicts with them."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save
from torch import Tensor

from lora.adapters import lora_layers
from lora.adapters.adapter_file import AdapterInfo
from lora.models.base_model import Base

UNTOUCHED = 0.01  # a prediction that differs by less is the base's own
Pair = tuple[Tensor, Tensor]
MIXED = {"attn1.to_q": 4, "attn2.to_v": 3, "ff.net.0.proj": 2, "conv1": 5, "proj_in": 4}
DEEP = "[" * 100_000


def paths_of(base: Base, *ends: str) -> list[str]:
    return [path for path, _ in base.unet.named_modules() if path.endswith(ends)]


def pairs(base: Base, ranks: dict[str, int]) -> dict[str, Pair]:
    """Random halves {path: (down, up)} for the layers whose paths end so, of these ranks."""
    made, chance = {}, torch.Generator().manual_seed(5)
    for end, rank in ranks.items():
        for path in paths_of(base, end):
            layer = lora_layers._layer(base, path)
            assert layer is not None
            shape = layer.weight.shape
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


def mixed_alphas(layers: dict[str, Pair]) -> dict[str, float]:
    """An alpha that is not the rank for each kind of layer, and one of its own for a single layer."""
    known = {"to_q": 8.0, "to_v": 3.0, "proj": 1.0, "conv1": 2.5, "proj_in": 6.0}
    alphas = {path: known[path.rpartition(".")[2]] for path in layers}
    return {**alphas, next(iter(layers)): 0.5}


def with_alphas(tensors: dict[str, Tensor], alphas: dict[str, float], name: str = "unet.{}") -> bytes:
    numbers = {f"{name.format(path)}.alpha": torch.tensor(alpha) for path, alpha in alphas.items()}
    return save({**tensors, **numbers})


def about(base: Base, **changes: Any) -> AdapterInfo:
    facts: dict[str, Any] = {
        "keyword": "zorvex",
        "base": base.name,
        "base_hash": base.hash,
        "rank": 4,
        "alpha": 8.0,
    }
    return AdapterInfo(**{**facts, "steps": 7, "seed": 3, "background": "green", **changes})


_made: dict[object, bytes] = {}


def make(base: Base, seed: int, rank: int = 4, **changes: object) -> bytes:
    """A file with random weights, as loud as trained ones. The same one is made once."""
    key = (base.hash, seed, rank, *sorted(changes.items()))
    if key in _made:
        return _made[key]
    weights = lora_layers.add(base, "made", rank=rank, alpha=2.0 * rank, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.data = torch.randn(weight.shape, generator=generator) * 0.1
    try:
        info = about(base, rank=rank, alpha=2.0 * rank, **changes)
        return _made.setdefault(key, lora_layers.save_adapter(base, "made", info))
    finally:
        lora_layers.remove(base, "made")


@torch.no_grad()
def predict(base: Base) -> Tensor:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return base.unet(latents, 500, encoder_hidden_states=base.embed(["a cat"])).sample
