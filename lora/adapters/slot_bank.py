"""People's adapter files in the slots of one device: loaded by memory copies, kept by content, chosen per picture."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lora.adapters.adapter_file import AdapterInfo, read_header, read_info
from lora.adapters.slots import Layout, Place, SlottedDenoiser, scales
from lora.jobs import JobError
from lora.models.base_model import Base

NO_ADAPTER = 0  # the slot that holds zeros
PIECE = 2**20  # bytes that one thread hashes at a time
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


class DoesNotFit(Exception):
    """A good adapter that the slots have no room for: of a higher rank, or of more layers. PEFT takes it."""


@dataclass(frozen=True)
class Loaded:
    """A file in a slot."""

    slot: int
    about: AdapterInfo | None


class SlotBank:
    """The slots of a denoiser, and the rows that its layers read: row i holds the adapter of group i of a batch."""

    def __init__(self, base: Base, denoiser: SlottedDenoiser, *, slots: int, groups: int) -> None:
        self.denoiser = denoiser
        self._base = base
        self._layout = denoiser.layout
        like: dict[str, Any] = {"device": base.device, "dtype": base.dtype}
        self.pool = torch.zeros(slots + 1, self._layout.size, **like)
        self.rows = torch.zeros(groups, self._layout.size, **like)
        self._index = torch.zeros(groups, dtype=torch.long, device=base.device)
        self._strength = torch.zeros(groups, 1, **like)
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()  # by content, the last used one last
        self._free = list(range(slots, NO_ADAPTER, -1))
        self._known: OrderedDict[int, tuple[bytes, str]] = OrderedDict()  # id of bytes -> them and their key
        self._staging = torch.empty(0, dtype=torch.uint8)
        self._copied: Any = None
        denoiser.bind(self.rows)

    @property
    def room(self) -> int:
        """How many files can be in slots at once."""
        return len(self.pool) - 1

    def load(self, files: Sequence[bytes | None]) -> list[Loaded]:
        """Bring the files of one batch into slots; those that were not used for longest make room.

        Raises JobError other-base or bad-adapter, and DoesNotFit.
        """
        keys = [self._key(data) if data is not None else None for data in files]
        wanted = {key for key in keys if key is not None}
        if len(wanted) > self.room:
            raise DoesNotFit(f"{len(wanted)} adapters, {self.room} slots")
        for key, data in zip(keys, files, strict=True):
            if key is not None and data is not None:
                if key not in self._loaded:
                    self._loaded[key] = self._load(data, wanted)
                self._loaded.move_to_end(key)
        return [Loaded(NO_ADAPTER, None) if key is None else self._loaded[key] for key in keys]

    @torch.no_grad()
    def use(self, slots: Sequence[int], strengths: Sequence[float]) -> None:
        """Let group i of the next batches have the adapter of ``slots[i]``, ``strengths[i]`` times as strong."""
        count = len(slots)
        self._index[:count].copy_(torch.tensor(slots))
        self._strength[:count, 0].copy_(torch.tensor(strengths))
        rows = self.rows[:count]
        torch.index_select(self.pool, 0, self._index[:count], out=rows)
        rows[:, self._layout.ups :].mul_(self._strength[:count])

    def _key(self, data: bytes) -> str:
        """The content's hash; bytes that came before are known by being the same object."""
        known = self._known.get(id(data))
        if known is None:
            known = self._known[id(data)] = (data, content_key(data))
            if len(self._known) > 2 * self.room:
                self._known.popitem(last=False)
        return known[1]

    def _load(self, data: bytes, wanted: set[str]) -> Loaded:
        about = read_info(data)
        if about is not None and about.base_hash != self._base.hash:
            raise JobError("other-base", f"trained on {about.base}, drawn with {self._base.name}")
        if not self._free:
            oldest = next(key for key in self._loaded if key not in wanted)
            self._free.append(self._loaded.pop(oldest).slot)
        slot = self._free[-1]
        self.write(slot, data)
        self._free.pop()
        return Loaded(slot, about)

    @torch.no_grad()
    def write(self, slot: int, data: bytes) -> None:
        """Fill one slot from a file. Raises JobError bad-adapter, and DoesNotFit."""
        entries = read_entries(data)
        plan = _assign(entries, self._layout, scales(_config(data)))
        raw = self._upload(data)
        row = self.pool[slot]
        row.zero_()
        sources, targets = [], []
        for entry, target, scale in plan:
            sources.append(_tensor(raw, entry) * scale if scale != 1 else _tensor(raw, entry))
            targets.append(target(row)[tuple(slice(size) for size in entry.shape[:2])].view(entry.shape))
        torch._foreach_copy_(targets, sources)
        if not bool(torch.isfinite(row).all()):
            row.zero_()
            raise JobError("bad-adapter", "it holds values that are no numbers")

    def _upload(self, data: bytes) -> Tensor:
        """The file's bytes after its header, on the device, by way of memory that the device reads directly."""
        start = _header_end(data)
        size = len(data) - start
        pinned = self._base.device.type == "cuda"
        if len(self._staging) < size:
            self._staging = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        if self._copied is not None:
            self._copied.synchronize()  # the copy before must have left the buffer
        self._staging.numpy()[:size] = np.frombuffer(data, dtype=np.uint8, offset=start)
        raw = self._staging[:size].to(self._base.device, non_blocking=True)
        if pinned:
            self._copied = torch.cuda.Event()
            self._copied.record()
        return raw


@dataclass(frozen=True)
class Entry:
    """One tensor of a safetensors file: PEFT's name, and where its bytes are after the header."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def read_entries(data: bytes) -> list[Entry]:
    """The tensors of an adapter file, without reading them. Raises JobError bad-adapter."""
    read_header(data)
    size = len(data) - _header_end(data)
    entries = []
    try:
        for name, value in json.loads(data[8 : _header_end(data)]).items():
            if name == "__metadata__":
                continue
            start, end = value["data_offsets"]
            entry = Entry(_peft_name(name), DTYPES[value["dtype"]], tuple(value["shape"]), start, end)
            if not 0 <= start <= end <= size or end - start != entry.dtype.itemsize * int(
                np.prod(entry.shape)
            ):
                raise JobError("bad-adapter", "a damaged safetensors file")
            entries.append(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise JobError("bad-adapter", "no safetensors file, or a damaged one") from error
    return entries


def content_key(data: bytes) -> str:
    """A hash of hashes of pieces, which several threads compute: sha256 of one file takes 15 ms otherwise."""
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    digests = _hashers.map(lambda piece: hashlib.sha256(piece).digest(), pieces)
    return hashlib.sha256(b"".join(digests)).hexdigest()


_hashers = ThreadPoolExecutor(8, thread_name_prefix="adapter-hash")


def _header_end(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def _peft_name(name: str) -> str:
    """The reference script's last file says down and up where PEFT says A and B."""
    return name.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.")


def _tensor(raw: Tensor, entry: Entry) -> Tensor:
    piece = raw[entry.start : entry.end]
    if piece.storage_offset() % entry.dtype.itemsize:
        piece = piece.clone()
    return piece.view(entry.dtype).view(entry.shape)


def _config(data: bytes) -> dict[str, Any] | None:
    """PEFT's settings of the denoiser's layers in a file's header. Raises JobError bad-adapter."""
    entry = read_header(data).get("lora_adapter_metadata")
    if entry is None:
        return None
    try:
        return {str(key).removeprefix("unet."): value for key, value in json.loads(entry).items()}
    except (ValueError, AttributeError) as error:
        raise JobError("bad-adapter", "its alpha cannot be read") from error


def _assign(entries: Sequence[Entry], layout: Layout, scale: Any) -> list[tuple[Entry, Any, float]]:
    """(entry, which part of a row it fills, factor). Every layer has two halves that fit it. Raises as ``write``."""
    places = {place.path: place for place in layout.places}
    by_name = {entry.name: entry for entry in entries}
    if not entries:
        raise JobError("bad-adapter", "nothing in it")
    plan: list[tuple[Entry, Any, float]] = []
    for name, down in by_name.items():
        if not name.startswith("unet.") or not name.endswith((".lora_A.weight", ".lora_B.weight")):
            raise JobError("bad-adapter", "it holds more than LoRA layers of the denoiser")
        if ".lora_B." in name:
            if name.replace(".lora_B.", ".lora_A.") not in by_name:
                raise JobError("bad-adapter", "half of a layer is missing")
            continue
        path = name.removeprefix("unet.").removesuffix(".lora_A.weight")
        up = by_name.get(name.replace(".lora_A.", ".lora_B."))
        if up is None:
            raise JobError("bad-adapter", "half of a layer is missing")
        if path not in places:
            raise DoesNotFit(f"no slots at {path}")
        rank = _rank(places[path], down.shape, up.shape)
        plan.append((down, places[path].down_of, 1.0))
        plan.append((up, places[path].up_of, scale(path, rank)))
    return plan


def _rank(place: Place, down: tuple[int, ...], up: tuple[int, ...]) -> int:
    """The rank of a layer's halves. Raises JobError bad-adapter, and DoesNotFit."""
    rank = down[0] if down else 0
    kernel = (1,) * (len(place.down) - 2)
    if down[1:] != place.down[1:] or up != (place.up[0], rank, *kernel) or rank < 1:
        raise JobError("bad-adapter", "its layers have other sizes than those of this base")
    if rank > place.down[0]:
        raise DoesNotFit(f"rank {rank}, the slots have {place.down[0]}")
    return rank
