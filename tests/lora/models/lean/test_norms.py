"""Norms and gated layers on a GPU whose kernels cannot be built."""

import sys

import pytest
import torch

import lora.models.lean
from lora.models.lean import norms


def test_the_log_says_once_that_triton_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "lora.models.lean.gpu_kernels", raising=False)
    monkeypatch.delattr(lora.models.lean, "gpu_kernels", raising=False)
    norms._kernels.cache_clear()
    try:
        assert [norms._kernels(torch.device("cpu")) for _ in range(2)] == [None, None]
    finally:
        norms._kernels.cache_clear()
    (said,) = caplog.messages
    assert "triton" in said
    assert "torch's slower ones" in said
