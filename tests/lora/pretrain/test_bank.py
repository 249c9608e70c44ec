"""Drawings that are placed at random keep their flat fills."""

from __future__ import annotations

import torch

from lora.pretrain import bank


def square(colour: tuple[float, float, float], side: int = 64) -> torch.Tensor:
    """A flat square in the middle, premultiplied [1, 4, side, side]."""
    rgba = torch.zeros(1, 4, side, side)
    rgba[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = torch.tensor([*colour, 1.0])[:, None, None]
    return rgba


def test_placed_drawings_keep_flat_fills() -> None:
    """At any place and size, the fill of a drawing has one colour, and its background has none."""
    for seed in range(20):
        placed = bank.randomly_placed(square((0.2, 0.6, 0.9)), torch.Generator().manual_seed(seed))
        assert placed.shape == (1, 4, 64, 64)
        inside = placed[0, :, placed[0, 3] == 1]
        assert inside.shape[1] > 20
        assert torch.allclose(inside, torch.tensor([0.2, 0.6, 0.9, 1.0])[:, None], atol=1e-5)
        assert placed.min() >= 0
