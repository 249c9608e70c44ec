"""Augmentation on the device: drawings are moved, scaled, mirrored and put onto flat backgrounds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lora.models.sticker_nano import BACKGROUNDS

BACKGROUND_NAMES = tuple(BACKGROUNDS)  # names in captions; white first


def background_colours(device: torch.device) -> Tensor:
    """Colours of ``BACKGROUND_NAMES`` in [-1, 1], float [G, 3]."""
    return torch.tensor([BACKGROUNDS[name] for name in BACKGROUND_NAMES], device=device) / 127.5 - 1


def below(most: int, generator: torch.Generator) -> int:
    """A random whole number from 0 to ``most`` - 1."""
    return int(torch.randint(most, (), generator=generator, device=generator.device))


def premultiplied(pictures: Tensor) -> Tensor:
    """Straight-alpha uint8 [B, 4, H, W] -> premultiplied float [B, 4, H, W]; colour in [0, 1]."""
    rgba = pictures.float() / 255
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)


def place(rgba: Tensor, scale: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Scale (about the centre), move (in half-widths) and mirror premultiplied pictures [B, 4, H, W]."""
    zeros = torch.zeros_like(scale)
    mirror = torch.where(flip, -1.0, 1.0)
    theta = torch.stack(
        [
            torch.stack([mirror / scale, zeros, shift[:, 0]], dim=1),
            torch.stack([zeros, 1 / scale, shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, list(rgba.shape), align_corners=False)
    return F.grid_sample(rgba, grid, mode="bicubic", padding_mode="zeros", align_corners=False).clamp(0, 1)


def on_background(rgba: Tensor, colours: Tensor) -> Tensor:
    """Composite premultiplied [B, 4, H, W] onto flat colours [B, 3] in [-1, 1]; returns RGB in [-1, 1]."""
    return rgba[:, :3] * 2 - rgba[:, 3:] + (1 - rgba[:, 3:]) * colours[:, :, None, None]


def jittered(rgba: Tensor, generator: torch.Generator, *, smallest: float, mirrored: float) -> Tensor:
    """Each picture randomly scaled to ``smallest``..1, moved, and mirrored with the probability ``mirrored``."""
    count, device = rgba.shape[0], rgba.device

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    scale = smallest + (1 - smallest) * rand(count)
    shift = (rand(count, 2) * 2 - 1) * ((1 / scale) - 1)[:, None] * 0.6
    return place(rgba, scale, shift, rand(count) < mirrored)
