"""The initial noise of drawings: from a seed, or near that of another drawing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NEAR = 0.35  # share of the way to the new noise: drawings are alike but not the same


def initial(shape: Sequence[int], seed: int, near: Sequence[int] = ()) -> Tensor:
    """Noise on the CPU, the same on every machine: that of ``seed``, moved towards that of each of ``near`` in turn.

    n = noise(seed); for each s of near: n = slerp(n, noise(s), NEAR)
    """
    found = _of_seed(shape, seed)
    for other in near:
        found = slerp(found, _of_seed(shape, other), NEAR)
    return found


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """The point at ``share`` of the arc from one noise to another (Shoemake 1985, doi 10.1145/325165.325242).

    slerp(a, b, t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b,   cos(w) = <a, b> / |a| |b|

    A straight mixture of two noises has less variance than either, which the denoiser was never trained on.
    """
    cosine = (start * end).sum() / (start.norm() * end.norm())
    angle = torch.arccos(cosine.clamp(-0.9999, 0.9999))
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def _of_seed(shape: Sequence[int], seed: int) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed % 2**63))
