"""The layers of an attention that are computed together give what each gives by itself."""

from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional as F

from lora.adapters import lean_lora, lora_layers
from lora.adapters.lean_lora import LoraAttention
from lora.models.lean import functions
from lora.models.lean.blocks import LeanAttention, make_lean

HEADS, WIDTH = 2, 8


def some(*shape: int, size: float = 1.0) -> Tensor:
    made = size * torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
    return made.requires_grad_()


@pytest.mark.parametrize("text", [None, some(3, 7, 6)])
def test_gradients_of_layers_that_are_one_product(text: Tensor | None) -> None:
    """They are those of torch, for vectors, texts and all halves, whatever their ranks and scales are."""
    x, seen = some(3, 5, WIDTH), [6 if text is not None else WIDTH] * 2
    weights = [some(WIDTH, width, size=0.3).detach() for width in (WIDTH, *seen)]
    ranks, scales = (2, 3, 4), (1.0, 0.5, 2.0)
    downs = [some(rank, weight.shape[1], size=0.3) for rank, weight in zip(ranks, weights, strict=True)]
    ups = [some(WIDTH, rank, size=0.3) for rank in ranks]
    rows = (x, x, x) if text is None else (x, text, text)
    made = [
        F.linear(row, weight) + scale * F.linear(F.linear(row, down), up)
        for row, weight, down, up, scale in zip(rows, weights, downs, ups, scales, strict=True)
    ]
    query, key, value = (one.view(*one.shape[:2], HEADS, -1).transpose(1, 2) for one in made)
    wanted = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    found = lean_lora._Attended.apply(x, text, HEADS, weights, scales, *downs, *ups)
    torch.testing.assert_close(found, wanted)
    of = [one for one in (x, text, *downs, *ups) if one is not None]
    slope = some(*wanted.shape).detach()
    torch.testing.assert_close(
        *(torch.autograd.grad(one, of, slope, retain_graph=True) for one in (found, wanted))
    )


def attention_with(*adapters: str, bias: bool = False) -> Any:
    """A lean attention in bfloat16 with adapters that change it; all of them are in use."""
    torch.manual_seed(0)
    attn: Any = Attention(query_dim=WIDTH, heads=HEADS, dim_head=WIDTH // HEADS, bias=bias)
    made = nn.ModuleList([attn])
    made.requires_grad_(False).bfloat16()
    make_lean(made)
    for name in adapters:
        config = LoraConfig(
            r=2, lora_alpha=3, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False
        )
        with lora_layers._several_at_once():
            inject_adapter_in_model(config, made, adapter_name=name)
    for layer in (attn.to_q, attn.to_k, attn.to_v) if adapters else ():
        layer.set_adapter(list(adapters))
    lean_lora.make_lean(made)
    return attn


def seen_by(attn: Any, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, int]:
    """What the attention gives, and how many of its layers were parts of one product."""
    calls: list[int] = []
    joined = lean_lora._joined

    def counted(*given: Any) -> Any:
        calls.append(len(given[1]))
        return joined(*given)

    monkeypatch.setattr(lean_lora, "_joined", counted)
    return attn(x), sum(calls)


def test_a_trained_attention_is_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives what its layers give one by one, but for rounding."""
    attn, x = attention_with("one"), some(2, 5, WIDTH).bfloat16()
    assert type(attn.processor) is LoraAttention
    found, calls = seen_by(attn, x, monkeypatch)
    assert calls == 3
    attn.set_processor(LeanAttention())
    wanted = attn(x)
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.02)
    assert not torch.equal(wanted, attention_with()(x))


@pytest.mark.parametrize("case", ["drawn with", "two adapters", "biases", "too many weights", "none in use"])
def test_other_attentions_are_computed_layer_by_layer(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("one", "two") if case == "two adapters" else ("one",)
    attn, x = attention_with(*names, bias=case == "biases"), some(2, 5, WIDTH).bfloat16()
    if case == "too many weights":
        monkeypatch.setattr(functions, "MOST", 1)
    if case == "none in use":
        for layer in (attn.to_q, attn.to_k, attn.to_v):
            layer.enable_adapters(False)
    with torch.set_grad_enabled(case != "drawn with"):
        found, calls = seen_by(attn, x, monkeypatch)
        attn.set_processor(LeanAttention())
        torch.testing.assert_close(found, attn(x), atol=0.02, rtol=0.02)
    assert calls == 0
