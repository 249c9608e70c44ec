"""Where a base's networks are: on the GPU while they are needed, in main memory while they rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lora.models.base_model import Base

LARGE = 768  # pixels of a side; 512 px take less to decode than to learn from


@contextmanager
def offloaded(base: Base) -> Iterator[None]:
    """While it lasts, VAE and text encoder leave the GPU to the denoiser (1 GB less with SD 2.1).

    Whoever encodes, decodes or embeds gets the network it needs back without asking; it then stays on the
    GPU until ``rest``, for who draws once may draw again. On the CPU nothing moves.
    """
    if base.device.type == "cpu":
        yield
        return
    from accelerate import cpu_offload_with_hook
    from accelerate.hooks import remove_hook_from_module

    parts = (base.vae, base.text_encoder)
    try:
        for part in parts:
            cpu_offload_with_hook(part, base.device)
        torch.cuda.empty_cache()
        yield
    finally:
        for part in parts:
            remove_hook_from_module(part)
            part.to(base.device)


def offload(base: Base) -> None:
    """Send VAE and text encoder to main memory again; only inside ``resting``."""
    if base.device.type != "cpu":
        base.vae.to("cpu")
        base.text_encoder.to("cpu")
        torch.cuda.empty_cache()


def free_for_decoding(base: Base) -> None:
    """Before large pictures are decoded: only the VAE and the denoiser stay on the GPU, and nothing unused is kept.

    With SD 2.1 at 768 px the decoder holds 1.8 GB of tensors for one picture, more than any other part of drawing.
    The text encoder (0.7 GB) comes back by itself when it is asked. Tiles would save more, and draw other pictures:
    the decoder's norms and its attention see the whole.
    """
    if base.device.type != "cpu" and base.resolution >= LARGE:
        base.text_encoder.to("cpu")
        torch.cuda.empty_cache()


def move_base(base: Base, device: torch.device, dtype: torch.dtype) -> None:
    """Put a base on another device; denoiser and text encoder get ``dtype``, the VAE stays in float32."""
    base.unet.to(device, dtype)
    base.text_encoder.to(device, dtype)
    base.vae.to(device)
    base.device, base.dtype = device, dtype
