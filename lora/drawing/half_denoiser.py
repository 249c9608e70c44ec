"""A copy of the denoiser in bfloat16, for drawing on a CPU that multiplies such numbers natively.

It is as exact as the denoiser of a GPU, and half as large as the float32 weights, which trainings keep: there bfloat16
gains nothing on a CPU.
"""

from __future__ import annotations

import copy

import torch

from lora.models.base_model import Base
from lora.models.lean_blocks import make_lean

NATIVE = ("avx512_bf16", "amx_bf16")  # of torch.cpu.get_capabilities


def add_copy(base: Base) -> None:
    """Let drawings use a copy in bfloat16 if the base is on a CPU with instructions for it.

    It must be called before any adapter is on the denoiser.
    """
    if base.device.type == "cpu" and base.dtype == torch.float32 and multiplies_natively():
        base.drawing_unet = copy.deepcopy(base.unet).to(torch.bfloat16)
        make_lean(base.drawing_unet)
        make_lean(base.vae)


def multiplies_natively() -> bool:
    """Whether this CPU has instructions that multiply bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in NATIVE)
