"""The file format of adapters: safetensors with PEFT's names, and what a file says of itself in its header."""

from __future__ import annotations

import json
from dataclasses import dataclass

from safetensors.torch import save
from torch import Tensor

from lora.jobs import JobError

MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """What an adapter file says of itself."""

    keyword: str
    base: str
    base_hash: str
    rank: int
    alpha: float
    steps: int
    seed: int
    background: str  # the background its samples were shown on
    targets: str = "attention+ff"  # a key of TARGETS
    prediction_type: str = ""  # of its base; empty in files of before this was kept
    resolution: int = 0  # pixels of a side while it was trained


def to_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file; its bytes depend on its content alone (the library orders metadata at random)."""
    data = save(tensors, metadata=metadata)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants tensors to begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[end:]


def read_info(data: bytes) -> AdapterInfo | None:
    """What a file says of itself; None for a LoRA that another trainer made. Raises JobError bad-adapter."""
    entry = read_header(data).get("stickersmith")
    if entry is None:
        return None
    try:
        return AdapterInfo(**json.loads(entry))
    except (ValueError, TypeError) as error:
        raise JobError("bad-adapter", "its description cannot be read") from error


def read_header(data: bytes) -> dict[str, str]:
    """The metadata in a safetensors header. Raises JobError bad-adapter."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or len(data) > MAX_BYTES or size > len(data) - 8:
        raise JobError("bad-adapter", "no safetensors file, or a cut-off one")
    try:
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, AttributeError) as error:
        raise JobError("bad-adapter", "its header cannot be read") from error
