"""Moves a base's networks between the GPU and main memory, so that training and drawing need less GPU memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lora.models.base_model import Base
from lora.models.device import is_roomy

LARGE = 768  # pixels of a side; decoding 512 px needs less GPU memory than training does


@contextmanager
def offloaded(base: Base) -> Iterator[None]:
    """Within it, VAE and text encoder are in main memory until they are called (1 GB less on the GPU with SD 2.1).

    A call moves the network to the GPU, and there it stays until ``offload``: who draws once often draws again.
    After the last of several that overlap, both are on the GPU. On the CPU, and on a card with much memory, nothing
    moves: it takes half a second.
    """
    if not _saves(base):
        yield
        return
    from accelerate import cpu_offload_with_hook
    from accelerate.hooks import remove_hook_from_module

    networks = (base.vae, base.text_encoder)
    _users[base.vae] += 1
    try:
        if _users[base.vae] == 1:
            for network in networks:
                cpu_offload_with_hook(network, base.device)
            torch.cuda.empty_cache()
        yield
    finally:
        _users[base.vae] -= 1
        if not _users[base.vae]:
            del _users[base.vae]
            for network in networks:
                remove_hook_from_module(network)
                network.to(base.device)


def _saves(base: Base) -> bool:
    return base.device.type != "cpu" and not is_roomy(base.device)


_users: Counter[Any] = Counter()  # by a base's VAE: how many are within ``offloaded``


def offload(base: Base) -> None:
    """Move VAE and text encoder to main memory again. Only within ``offloaded``: its hooks move them back."""
    if _saves(base):
        base.vae.to("cpu")
        base.text_encoder.to("cpu")
        torch.cuda.empty_cache()


def free_for_decoding(base: Base) -> None:
    """Free GPU memory before pictures of LARGE pixels or more are decoded.

    The text encoder moves to main memory (0.7 GB with SD 2.1), ``Base.embed`` moves it back; torch's unused memory is
    released. The decoder needs most memory of all parts of drawing: 1.8 GB of tensors for one picture of 768 px.
    Decoding in tiles would need less, but gives other pictures: the decoder's norms and attention use the whole one.
    """
    if base.resolution >= LARGE:
        free_text_encoder(base)


def free_text_encoder(base: Base) -> None:
    """Move the text encoder to main memory until ``Base.embed`` needs it for a new text."""
    if base.device.type != "cpu":
        base.text_encoder.to("cpu")
        torch.cuda.empty_cache()


def free_for_drawing(base: Base) -> None:
    """Move the VAE to main memory: drawing has a decoder of its own. ``Base.encode`` and ``decode`` move it back."""
    if base.device.type != "cpu":
        base.vae.to("cpu")


def move_base(base: Base, device: torch.device, dtype: torch.dtype) -> None:
    """Move a base to another device. Denoiser and text encoder get ``dtype``; the VAE stays in float32."""
    base.unet.to(device, dtype)
    base.text_encoder.to(device, dtype)
    base.vae.to(device)
    base.device, base.dtype = device, dtype
