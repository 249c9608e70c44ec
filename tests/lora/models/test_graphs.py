"""What happens if a graph cannot be recorded. Recording itself needs a GPU."""

from typing import Any

import pytest
import torch

from lora.models.graphs import Graphs, free_kept, keep


@pytest.mark.parametrize("kept", [True, False])
def test_memory_that_is_kept_is_freed_for_a_graph(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is recorded; without, the work runs without a graph."""
    network, recorded, done = torch.nn.Linear(1, 1), [], []

    def record(self: Graphs, work: Any) -> Any:
        recorded.append(work)
        if len(recorded) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.nn.Identity()

    monkeypatch.setattr(Graphs, "_recorded", record)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    graphs = Graphs(torch.device("cuda"))
    if kept:
        keep(network, object())
    graphs.record((1,), lambda: done.append(1))
    assert len(recorded) == 1 + kept
    assert graphs.failed is not kept
    assert not free_kept()
    if not kept:
        graphs.run((1,), lambda: done.append(1))
        assert done == [1]
