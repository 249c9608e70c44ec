"""The running average of an adapter's weights over its training (EMA): steadier than its last step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average of ``weights``, float32, on their device.

    It warms up as diffusers' ``EMAModel`` does by default, min(decay, (1 + n) / (10 + n)) after n steps: else
    the random start would be part of it for 1 / (1 - decay) steps.
    """

    def __init__(self, weights: Mapping[str, nn.Parameter], decay: float) -> None:
        self._weights = dict(weights)
        self._decay = decay
        self.values: dict[str, Tensor] = {key: weight.detach().clone() for key, weight in weights.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the weights after ``steps`` steps."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.values.values()), list(self._weights.values()), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the layers hold the average instead of what is being trained."""
        trained = {key: weight.data for key, weight in self._weights.items()}
        try:
            for key, weight in self._weights.items():
                weight.data = self.values[key]
            yield
        finally:
            for key, weight in self._weights.items():
                weight.data = trained[key]
