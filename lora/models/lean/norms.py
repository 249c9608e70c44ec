"""Group norms and gated layers: by Triton's kernels on a GPU, else as torch has them.

torch's group norm copies pictures whose channels are last to another layout, and its result is copied back.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lora.models.lean.functions import geglu

log = logging.getLogger(__name__)


def normed(norm: nn.Module, x: Tensor, *, silu: bool = False) -> Tensor:
    """The group norm of pictures [n, channels, h, w], and SiLU of it if asked for; its weights get no gradients."""
    if torch.compiler.is_compiling() and not torch.is_grad_enabled():
        kernels = _built.get(x.device.type)
        if kernels is not None and kernels.takes(x, norm.num_groups):
            found: Tensor = kernels.normed(x, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)
            return found
    kernels = gpu_kernels(x)
    if kernels is not None and kernels.takes(x, norm.num_groups):
        y: Tensor = kernels.GroupNorm.apply(x, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)
        return y
    y = norm(x)
    return F.silu(y, inplace=not torch.is_grad_enabled()) if silu else y


def gated(both: Tensor) -> Tensor:
    """``value * gelu(gate)`` of both halves of the last dimension."""
    kernels = gpu_kernels(both)
    if kernels is None:
        return geglu(both)
    found: Tensor = kernels.Gate.apply(both.contiguous())
    return found


def gpu_kernels(x: Tensor) -> Any:
    """The module for a tensor on a GPU; None elsewhere, and for torch's compiler, which writes kernels of its own."""
    if x.device.type != "cuda" or torch.compiler.is_compiling():
        return None
    return _kernels(x.device)


_built: dict[str, Any] = {}  # the module by the kind of device, for torch's compiler


@cache
def _kernels(device: torch.device) -> Any:
    """The module, if its kernels can be built on this machine; else the log says once why not.

    That takes Triton, a C compiler, and seconds the first time.
    """
    try:
        from lora.models.lean import gpu_kernels

        picture = torch.zeros(1, 32, 2, 2, device=device).to(memory_format=torch.channels_last)
        weight = torch.ones(32, device=device)
        gpu_kernels.GroupNorm.apply(picture, weight, weight, 8, 1e-5, True)
        gpu_kernels.Gate.apply(torch.zeros(2, 32, device=device))
        _built[device.type] = gpu_kernels
    except Exception as error:  # a compiler that is missing or fails raises many kinds
        reason = str(error).partition("\n")[0]
        log.warning(
            "no Triton kernels: norms and gated layers use torch's slower ones (%s: %s)",
            type(error).__name__,
            reason,
        )
        return None
    return gpu_kernels
