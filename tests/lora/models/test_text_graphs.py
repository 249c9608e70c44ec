"""The text encoder's graphs; on a CPU the same buffers without graphs."""

import copy

import pytest
import torch

from lora.models.base_model import Base
from lora.models.text_graphs import TextGraphs


@torch.no_grad()
def test_embeddings_are_those_of_the_encoder(base: Base) -> None:
    """Of one text and of several, at first and later, padded or not, and with the weights of another encoder."""
    graphs = TextGraphs(base.device)
    other = copy.deepcopy(base.text_encoder)
    other.get_input_embeddings().weight.mul_(2)
    chance = torch.Generator().manual_seed(0)
    for encoder in (base.text_encoder, other, base.text_encoder):
        for count in (1, 3, 1, 4, 3, 2, 1):
            tokens = torch.randint(0, 90, (count, 77), generator=chance)
            found = graphs.encode(encoder, tokens)
            torch.testing.assert_close(found, encoder(tokens)[0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_only_an_encoder_whose_weights_have_moved_is_moved_back(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs, encoder = TextGraphs(base.device), copy.deepcopy(base.text_encoder)
    asked: list[torch.device] = []
    monkeypatch.setattr(encoder, "to", lambda device: (asked.append(device), encoder)[1])
    tokens = torch.randint(0, 90, (1, 77), generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        graphs.encode(encoder, tokens)
    assert len(asked) == 1
    weight = encoder.get_input_embeddings().weight
    weight.data = 2 * weight.data
    torch.testing.assert_close(graphs.encode(encoder, tokens), encoder(tokens)[0], rtol=1e-4, atol=1e-5)
    assert len(asked) == 2
