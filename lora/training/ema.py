"""The exponential moving average (EMA) of the weights of a training: steadier than the weights of its last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """``average = d * average + (1 - d) * weights`` after each step, in the weights' dtype and on their device.

    The decay d warms up as in diffusers' ``EMAModel``: ``d = min(decay, (1 + n) / (10 + n))`` after n steps. Without
    that, the random start would be a part of the average for about ``1 / (1 - decay)`` steps.
    """

    def __init__(self, weights: Mapping[str, nn.Parameter], decay: float) -> None:
        self._weights = dict(weights)
        self._decay = decay
        self.values: dict[str, Tensor] = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Add the weights that ``steps`` steps have led to; call it once after each step."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.values.values()), list(self._weights.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it, the model's weights are the averages; afterwards they are the trained weights again.

        A change of a weight in place, within it, changes the average.
        """
        trained = {name: weight.data for name, weight in self._weights.items()}
        try:
            for name, weight in self._weights.items():
                weight.data = self.values[name]
            yield
        finally:
            for name, weight in self._weights.items():
                weight.data = trained[name]
