"""Lean functions and their gradients are those of torch."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora.models.lean import functions
from lora.models.lean.functions import LeanGroupNorm, attention, attention_in_parts, geglu


def some(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), requires_grad=True)


@pytest.mark.parametrize("at_once", [1, 1 << 21])
@pytest.mark.parametrize("keys", [7, functions.EVEN])
def test_attention(monkeypatch: pytest.MonkeyPatch, at_once: int, keys: int) -> None:
    """Of other numbers of keys than queries, a picture at a time or all together."""
    monkeypatch.setattr(functions, "AT_ONCE", at_once)
    given = (some(3, 10, 8), some(3, keys, 8), some(3, keys, 8) * 2)
    heads = [one.unflatten(-1, (2, 4)).transpose(1, 2) for one in given]
    wanted = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    compare(attention_in_parts(*given, 2), wanted, given[:2])
    with torch.no_grad():
        torch.testing.assert_close(attention_in_parts(*given, 2), wanted)


def test_attention_with_too_many_weights_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is torch's own, and the same but for rounding."""
    given = [some(2, 6, 8).bfloat16() for _ in range(3)]
    wanted = attention(*given, heads=2)
    monkeypatch.setattr(functions, "MOST", 1)
    torch.testing.assert_close(attention(*given, heads=2), wanted, atol=0.02, rtol=0.02)


def test_geglu() -> None:
    """With and without a gradient."""
    both = some(3, 5, 8)
    value, gate = both.chunk(2, dim=-1)
    wanted = value * F.gelu(gate)
    compare(geglu(both), wanted, (both,))
    with torch.no_grad():
        torch.testing.assert_close(geglu(both), wanted)


def test_group_norm() -> None:
    """Of a picture whose channels are last in memory."""
    plain = nn.GroupNorm(4, 8)
    nn.init.normal_(plain.weight)
    lean = LeanGroupNorm(4, 8)
    lean.load_state_dict(plain.state_dict())
    x = some(2, 8, 6, 5)
    last = x.to(memory_format=torch.channels_last)
    compare(lean(last), plain(x), (x,))


def test_group_norm_of_equal_values() -> None:
    """The rounded mean of squares may be below the square of the mean; the norm is a number all the same."""
    x = torch.full((1, 8, 5, 5), 1000.3, requires_grad=True)
    found = LeanGroupNorm(4, 8)(x)
    torch.testing.assert_close(found, torch.zeros_like(found), atol=0.3, rtol=0)
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def compare(found: Tensor, wanted: Tensor, of: tuple[Tensor, ...]) -> None:
    """Both values, and the gradients of their weighted sums."""
    torch.testing.assert_close(found, wanted)
    weights = torch.arange(wanted.numel(), dtype=torch.float32).view_as(wanted).sin()
    grads = [torch.autograd.grad((one * weights).sum(), of, retain_graph=True) for one in (found, wanted)]
    torch.testing.assert_close(*grads)
