"""The text encoder by CUDA graphs: for one prompt, launching its kernels takes longer than they do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lora.models.graphs import Graphs

SIZES = (1, 2, 4, 8, 16)  # texts of a graph; fewer are padded to the next of these


class TextGraphs:
    """The graphs of one device. They hold for an encoder until its weights are moved.

    A size is recorded on its second use, so that neither the first picture nor an encoder that a training moves away
    again waits for that.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._lock = threading.Lock()
        self._encoder: Any = None
        self._read: tuple[Tensor, ...] = ()
        self._forget()

    def encode(self, encoder: Any, tokens: Tensor) -> Tensor:
        """Embeddings [n, length, width] of tokens [n, length], n <= 16. The encoder is moved to the device if need be.

        To look for its weights and to ask each to move takes 3 ms with SD 2.1's, so both are done only if one moved.
        """
        with self._lock:
            if encoder is not self._encoder or _addresses(self._read) != self._known:
                self._take(encoder.to(self.device))
            size = next(size for size in SIZES if size >= len(tokens))
            self._uses[size] += 1
            if self._uses[size] == 1:
                found: Tensor = encoder(tokens.to(self.device))[0]
                self._tokens[size] = torch.zeros(size, tokens.shape[1], dtype=torch.long, device=self.device)
                self._found[size] = found.new_zeros(size, *found.shape[1:])
                return found
            self._tokens[size][: len(tokens)].copy_(tokens)
            self._graphs.run((size,), self._work(encoder, size))
            return self._found[size][: len(tokens)].clone()

    def _work(self, encoder: Any, size: int) -> Callable[[], None]:
        return partial(self._encode, encoder, self._tokens[size], self._found[size])

    @staticmethod
    def _encode(encoder: Any, tokens: Tensor, found: Tensor) -> None:
        found.copy_(encoder(tokens)[0])

    def _take(self, encoder: Any) -> None:
        """Another encoder, or one whose weights have moved: its graphs are other ones."""
        self._encoder = encoder
        self._read = (*encoder.parameters(), *encoder.buffers())
        self._forget()

    def _forget(self) -> None:
        self._known = _addresses(self._read)
        self._graphs = Graphs(self.device)
        self._uses: Counter[int] = Counter()
        self._tokens: dict[int, Tensor] = {}
        self._found: dict[int, Tensor] = {}


def _addresses(read: Iterable[Tensor]) -> tuple[int, ...]:
    return tuple(tensor.data_ptr() for tensor in read)
