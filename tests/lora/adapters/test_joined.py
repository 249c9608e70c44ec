"""Layers that see the same vectors are computed as one: values and gradients are those of each layer by itself."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lora.adapters import slots
from lora.adapters.joined import NAMES, JoinedLayers, _may_join, join, joined_place
from lora.adapters.slot_layout import Place
from lora.adapters.slots import SlottedDenoiser, SlottedLayer
from lora.models.base_model import Base
from lora.models.lean.blocks import make_lean

OUT, WIDTH, RANK = 24, 16, 4


def layer(groups: int, scale: float, down: Tensor, up: Tensor) -> SlottedLayer:
    made = SlottedLayer(nn.Linear(WIDTH, OUT, bias=False).double().requires_grad_(False))
    made.groups, made.scale, made.down, made.up = groups, scale, down, up
    return made


def gradients(found: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
    weights = [torch.linspace(-1, 1, one.numel(), dtype=one.dtype).view(one.shape) for one in found]
    return list(torch.autograd.grad([one.sin() for one in found], leaves, weights))


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_joined_layers_are_each_layer(groups: int, count: int, scale: float) -> None:
    torch.manual_seed(count)
    x = torch.randn(2 * groups, 5, WIDTH, dtype=torch.float64, requires_grad=True)
    down = torch.randn(groups, count, RANK, WIDTH, dtype=torch.float64, requires_grad=True)
    up = torch.randn(groups, count, OUT, RANK, dtype=torch.float64, requires_grad=True)
    layers = [layer(groups, scale, down[:, i], up[:, i]) for i in range(count)]
    joined = JoinedLayers(layers)
    joined.down, joined.up, joined.scale = down.flatten(1, 2), up, scale
    apart, together = [one(x) for one in layers], list(joined(x))
    for one, other in zip(apart, together, strict=True):
        torch.testing.assert_close(one, other)
    leaves = [x, down, up]
    for wanted, got in zip(gradients(apart, leaves), gradients(together, leaves), strict=True):
        torch.testing.assert_close(wanted, got)


@pytest.mark.parametrize(("out", "width"), [(24, 16), (16, 24)])
def test_one_product_of_longer_vectors_is_the_sum_of_two(
    out: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    x = torch.randn(7, width, dtype=torch.float64, requires_grad=True)
    down = torch.randn(1, RANK, width, dtype=torch.float64, requires_grad=True)
    up = torch.randn(1, out, RANK, dtype=torch.float64, requires_grad=True)
    made = SlottedLayer(nn.Linear(width, out).double().requires_grad_(False))
    made.groups, made.scale, made.down, made.up = 1, 0.5, down, up
    values, changes = [], []
    for pays in (False, True):
        monkeypatch.setattr(slots, "_appending_pays", lambda flat, out, groups, pays=pays: pays)
        values.append(made(x))
        changes.append(gradients([values[-1]], [x, down, up]))
    torch.testing.assert_close(*values)
    for one, other in zip(*changes, strict=True):
        torch.testing.assert_close(one, other)


def test_appending_is_for_wide_layers_of_many_vectors_on_a_gpu() -> None:
    """The feed-forward layer of SD 2.1 at 64 x 64 widens 320 numbers to 2,560."""
    many: Any = SimpleNamespace(shape=(8 * 4096, 320), device=torch.device("cuda"))
    few: Any = SimpleNamespace(shape=(64, 320), device=torch.device("cuda"))
    on_cpu: Any = SimpleNamespace(shape=(8 * 4096, 320), device=torch.device("cpu"))
    assert slots._appending_pays(many, 2560, 1)
    assert not slots._appending_pays(on_cpu, 2560, 1)
    assert not slots._appending_pays(many, 2560, 2), "one product has one adapter"
    assert not slots._appending_pays(many, 320, 1), "the copy is as large as what it saves"
    assert not slots._appending_pays(few, 2560, 1), "the weights are larger"


@pytest.mark.parametrize("targets", ["attention", "attention+ff"])
def test_all_attentions_of_a_base_are_joined(base: Base, targets: str) -> None:
    denoiser = SlottedDenoiser(base.unet, rank=8, targets=targets)
    make_lean(denoiser.unet)
    joined = join(denoiser)
    attentions = [name for name, _ in denoiser.unet.named_modules() if name.endswith(tuple(NAMES))]
    assert len(joined) == len(attentions)
    flat = torch.arange(denoiser.layout.size).view(1, -1)
    for places in joined.values():
        together = joined_place(places)
        downs = torch.cat([place.down_of(flat) for place in places], 1)
        ups = torch.stack([place.up_of(flat) for place in places], 1)
        assert torch.equal(together.down_of(flat), downs)
        assert torch.equal(together.up_of(flat), ups)


@pytest.mark.parametrize(
    ("moved", "bias", "joined"),
    [
        ({}, False, True),
        ({"down_start": 72}, False, False),
        ({"up_start": 304}, False, False),
        ({}, True, False),
    ],
)
def test_only_neighbours_without_biases_are_joined(moved: dict[str, int], bias: bool, joined: bool) -> None:
    sizes: dict[str, Any] = {"down": (RANK, WIDTH), "up": (OUT, RANK)}
    first = Place(path="a.to_k", down_start=0, up_start=200, **sizes)
    at: dict[str, Any] = {**sizes, "down_start": 64, "up_start": 296, **moved}
    second = Place(path="a.to_v", **at)
    layers = [nn.Linear(WIDTH, OUT, bias=False), nn.Linear(WIDTH, OUT, bias=bias)]
    assert _may_join([first, second], layers) is joined
