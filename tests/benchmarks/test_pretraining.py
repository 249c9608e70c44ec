"""The short form of ``benchmarks.pretraining``: steps on a CPU, neither compiled nor recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import pretraining
from lora.data.captions import encode
from lora.pretrain import learner, words


def test_the_steps_of_a_batch_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Denoiser and text encoder have their full size."""
    monkeypatch.setattr(pretraining, "WARM_UP", 1)
    monkeypatch.setattr(pretraining, "TIMED", 1)
    monkeypatch.setattr(learner, "TEACHER_TEXTS", 2)
    ids = torch.tensor([encode(text) for text in ("a cat", "red car")])
    embeddings = torch.nn.functional.normalize(torch.randn(2, words.SIZE), dim=1)
    tensors = {"kept": ids.unique().int(), "ids": ids.to(torch.uint16), "embeddings": embeddings.half()}
    save_file(tensors, tmp_path / "words.safetensors")
    flags = ["--device", "cpu", "--batch", "2", "--no-graph", "--no-compile"]
    pretraining.main(["--dir", str(tmp_path), *flags])
    assert "batch 2, attention as it comes, no graph: " in capsys.readouterr().out
