"""The kernels of a GPU compute what torch computes; where there is none, run with TRITON_INTERPRET=1 and Triton."""

import os

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

pytest.importorskip("triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and not os.environ.get("TRITON_INTERPRET"):
    pytest.skip("no GPU", allow_module_level=True)

from lora.models.lean import gpu_kernels  # noqa: E402  # it imports Triton


def far(found: Tensor, wanted: Tensor) -> float:
    return float(((found.double() - wanted).norm() / wanted.norm()).detach())


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 6e-3)])
@pytest.mark.parametrize("silu", [False, True])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((2, 320, 8, 8), 32), ((1, 40, 16, 16), 8), ((2, 64, 2, 2), 8), ((1, 960, 16, 8), 32)],
)
def test_group_norm(shape: tuple[int, ...], groups: int, silu: bool, dtype: torch.dtype, most: float) -> None:
    """Values and gradients, of pictures whose channels have other means."""
    chance = torch.Generator().manual_seed(0)
    draw = lambda *size: torch.randn(*size, generator=chance)  # noqa: E731
    x = (2 * draw(*shape) + 3 * draw(1, shape[1], 1, 1) + 5).to(
        DEVICE, dtype, memory_format=torch.channels_last
    )
    weight, bias = (1 + draw(shape[1]) / 3).to(DEVICE, dtype), draw(shape[1]).to(DEVICE, dtype)
    g = draw(*shape).to(DEVICE, dtype)
    assert gpu_kernels.takes(x, groups)
    y = gpu_kernels.GroupNorm.apply(x.requires_grad_(), weight, bias, groups, 1e-5, silu)
    exact = x.detach().double().requires_grad_()
    right = F.group_norm(exact, groups, weight.double(), bias.double(), 1e-5)
    right = F.silu(right) if silu else right
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert far(y, right) < most
    assert far(torch.autograd.grad(y, x, g)[0], torch.autograd.grad(right, exact, g.double())[0]) < most


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 6e-3)])
def test_gate(dtype: torch.dtype, most: float) -> None:
    chance = torch.Generator().manual_seed(0)
    x, g = (torch.randn(3, 5, size, generator=chance).to(DEVICE, dtype) for size in (2 * 1300, 1300))
    exact = x.double().requires_grad_()
    a, b = exact.chunk(2, -1)
    y, right = gpu_kernels.Gate.apply(x.requires_grad_()), a * F.gelu(b)
    assert far(y, right) < most
    assert far(torch.autograd.grad(y, x, g)[0], torch.autograd.grad(right, exact, g.double())[0]) < most
