"""The denoiser in bfloat16, on a CPU that multiplies such numbers natively: half the time of a training's step.

It is as exact as the denoiser of a GPU. Other CPUs keep float32, which is faster there.
"""

from __future__ import annotations

import torch

from lora.drawing.lean_denoiser import make_lean_denoiser
from lora.models.base_model import Base
from lora.models.lean.blocks import make_lean

NATIVE = ("avx512_bf16", "amx_bf16")  # of torch.cpu.get_capabilities


def use_bfloat16(base: Base) -> None:
    """Turn the denoiser into bfloat16 if the base is on a CPU with instructions for it. The text encoder stays float32.

    It must be called before any adapter is on the denoiser.
    """
    if base.device.type == "cpu" and base.dtype == torch.float32 and multiplies_natively():
        base.unet.to(torch.bfloat16)
        base.dtype = torch.bfloat16
        make_lean_denoiser(base.unet)
        make_lean(base.vae)


def multiplies_natively() -> bool:
    """Whether this CPU has instructions that multiply bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in NATIVE)
