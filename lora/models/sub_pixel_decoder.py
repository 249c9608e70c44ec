"""A VAE decoder that draws k x k sub-pixels for each encoded pixel (Shi et al. 2016, arXiv 1609.05158).

Its last convolution has 3 k k output channels in the order of ``torch.nn.functional.pixel_shuffle``. A diffusers folder
keeps that convolution in a file of its own, ``vae/fine.safetensors``: ``weight`` [3 k k, channels, 3, 3] and ``bias``
[3 k k]. Plain diffusers does not read it. It uses the mean over each colour's sub-pixels, which is stored in ``vae/``
as usual, and so draws the same picture box-downsampled by k (except where either one clamps).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.errors import BaseError

if TYPE_CHECKING:
    from torch import Tensor

FILE = "fine.safetensors"
LAST = ("decoder.conv_out.weight", "decoder.conv_out.bias")


def split(vae: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A VAE's tensors with a last convolution for whole pixels; and the content of FILE, or {} if k is 1."""
    last = {name.rpartition(".")[2]: vae[name] for name in LAST}
    if len(last["bias"]) == 3:
        return vae, {}
    means = {name: vae[name].unflatten(0, (3, -1)).mean(dim=1) for name in LAST}
    return {**vae, **means}, last


def attach(vae: Any, file: Path) -> None:
    """Make the convolution in a FILE the last one of the decoder. Raises BaseError if it does not fit."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    last = vae.decoder.conv_out
    try:
        fine = load_file(file)
    except (SafetensorError, OSError) as error:
        raise BaseError(f"{file}: cannot be loaded: {error}") from error
    shapes = {name: tuple(value.shape) for name, value in fine.items()}
    channels = fine["bias"].numel() if "bias" in fine else 0
    k = math.isqrt(channels // 3)
    wanted = {"weight": (3 * k**2, *last.weight.shape[1:]), "bias": (3 * k**2,)}
    if k < 2 or shapes != wanted:
        raise BaseError(f"{file}: no sub-pixel convolution for the decoder beside it: it holds {shapes}")
    vae.decoder.conv_out = torch.nn.Conv2d(last.in_channels, channels, last.kernel_size, padding=last.padding)
    vae.decoder.conv_out.load_state_dict(fine)


def write(fine: dict[str, Tensor], vae_folder: Path) -> None:
    """Write the tensors that ``split`` gave beside the VAE that it gave."""
    from safetensors.torch import save_file

    save_file(fine, vae_folder / FILE)
