"""The device that a base works on, from the name that a person gives."""

from __future__ import annotations

import ctypes
import platform

import torch

from lora.errors import BaseError

KNOWN = "auto, cpu, cuda and cuda:N are known"
ROOMY_GB = 20  # of memory on a card, where SD 2.1 trains and draws in less than 6
# M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD in bytes; of each, the first value that the C library accepts.
# Older versions of glibc refuse a first threshold of over 32 MiB (``man 3 mallopt``).
KEPT = ((-3, (2**31 - 1, 2**25)), (-1, (2**31 - 1,)), (-2, (2**26,)))


def every_device() -> tuple[str, ...]:
    """The names of all GPUs that this process sees, or the CPU's if there is none."""
    return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count())) or ("cpu",)


def memory_gb(device: torch.device) -> float:
    """The memory of a GPU, used or free; 0 of a CPU."""
    return torch.cuda.get_device_properties(device).total_memory / 1e9 if device.type == "cuda" else 0.0


def is_roomy(device: torch.device, gb: float = ROOMY_GB) -> bool:
    """Whether it is a GPU of over so many GB; of over ROOMY_GB, its memory need not be saved."""
    return memory_gb(device) > gb


def pick_device(device: str) -> torch.device:
    """``auto`` is the first GPU if there is one, else the CPU. Raises BaseError.

    A GPU that is picked becomes the process's current one: streams, events, graphs and kernels that name no device are
    made on it.
    """
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise BaseError(f"device {device}: {KNOWN}") from error
    if picked.type not in ("cpu", "cuda"):
        raise BaseError(f"device {device}: {KNOWN}")
    if picked.type == "cpu":
        return picked
    if not torch.cuda.is_available():
        raise BaseError(f"device {device}: this machine, or this build of torch, has no GPU")
    picked = torch.device("cuda", picked.index or 0)
    if picked.index >= torch.cuda.device_count():
        raise BaseError(f"device {device}: this machine has {', '.join(every_device())}")
    torch.cuda.set_device(picked)
    return picked


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; whether the C library can (glibc: ``man 3 mallopt``).

    Otherwise each large tensor is new memory, which the system clears page by page, one thread at a time: a tenth of a
    training's step. Elsewhere than on Linux with glibc nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(any(mallopt(option, value) for value in values) for option, values in KEPT)
