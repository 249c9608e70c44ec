"""Which device a process works on."""

from __future__ import annotations

import ctypes
import platform
import resource
from types import SimpleNamespace

import pytest
import torch

from lora.errors import BaseError
from lora.models.device import keep_freed_memory, pick_device


def test_devices_are_checked() -> None:
    """auto always works; a GPU that is not there, and a word that is no device, are said to be so."""
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(BaseError, match="auto, cpu"):
        pick_device("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(BaseError, match="no GPU"):
            pick_device("cuda")


def test_the_picked_gpu_is_the_processes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams and graphs that name no device are made on the picked GPU, not on the first one."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    for asked, index in (("cuda:1", 1), ("cuda", 0), ("auto", 0)):
        assert pick_device(asked) == torch.device("cuda", index)
        assert current.pop() == torch.device("cuda", index)
    with pytest.raises(BaseError, match="cuda:0, cuda:1"):
        pick_device("cuda:2")
    assert not current


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_freed_memory_is_used_again() -> None:
    """After twenty tensors of 32 MB, one after the other, few of ten more are new memory: 8,192 pages each."""
    assert keep_freed_memory()
    for _ in range(20):
        torch.ones(1 << 23)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(1 << 23)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 5 * 8192


def test_an_older_glibc_keeps_all_but_very_large_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses a threshold of over 32 MiB for what the system gives and gets back as a piece of its own."""
    set_to: dict[int, int] = {}

    def mallopt(option: int, value: int) -> int:
        if option == -3 and value > 2**25:
            return 0
        set_to[option] = value
        return 1

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory()
    assert set_to == {-3: 2**25, -1: 2**31 - 1, -2: 2**26}


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, Windows and musl nothing happens."""
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
