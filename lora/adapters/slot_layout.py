"""Where the halves of each layer lie in an adapter's flat tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the halves of one layer lie in a flat tensor of one adapter, and their shapes at the full rank."""

    path: str
    down: tuple[int, ...]  # [rank, in] or [rank, in, k, k]
    up: tuple[int, ...]  # [out, rank]
    down_start: int
    up_start: int

    def down_of(self, flat: Tensor) -> Tensor:
        """The lower half of flat [..., size], as a view."""
        return flat[..., self.down_start : self.down_start + math.prod(self.down)].unflatten(-1, self.down)

    def up_of(self, flat: Tensor) -> Tensor:
        """The upper half of flat [..., size], as a view."""
        return flat[..., self.up_start : self.up_start + math.prod(self.up)].unflatten(-1, self.up)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where all halves of an adapter lie in its flat tensor: first all lower ones, from ``ups`` on the upper ones."""

    places: tuple[Place, ...]
    ups: int
    size: int
