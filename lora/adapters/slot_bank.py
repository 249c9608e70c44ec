"""People's adapter files in the slots of one device: loaded by memory copies, kept by content, chosen per picture."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lora.adapters.adapter_file import AdapterInfo, Layers, read_info, read_json
from lora.adapters.lora_layers import fitted
from lora.adapters.slot_layout import Layout, Place
from lora.adapters.slots import SlottedDenoiser
from lora.jobs import JobError
from lora.models.base_model import Base

NO_ADAPTER = 0  # the slot that holds zeros
PIECE = 2**22  # bytes that are copied to the device while the next ones are made ready
LOOKED_AT = 256  # bytes of a file that its key begins with
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
        self._loaded: OrderedDict[Content, Loaded] = OrderedDict()  # the last used one last
        self._free = list(range(slots, NO_ADAPTER, -1))
        # id of bytes -> them and their key
        self._known: OrderedDict[int, tuple[bytes, Content]] = OrderedDict()
        # of files laid out like the last
        self._gathered: tuple[tuple[Entry, ...], Tensor] = ((), torch.empty(0))
        self._in_use: set[Content] = set()  # keys of the files of the batch that is drawn
        self._ahead: set[Content] = set()  # of those that were loaded for later ones since
        # Copies for later batches do not wait for the steps of this one that are queued.
        self._aside = torch.cuda.Stream(base.device) if base.device.type == "cuda" else None
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
        self._in_use, self._ahead = wanted, set()
        return [Loaded(NO_ADAPTER, None) if key is None else self._loaded[key] for key in keys]

    def load_ahead(self, data: bytes) -> bool:
        """Bring a file of a later batch into a slot that the batch that is drawn does not use. False: there is none.

        A file that cannot be loaded is left to ``load``, which says why: it is none of the running batch's business.
        """
        key, kept = self._key(data), self._in_use | self._ahead
        if key not in self._loaded:
            if not self._free and kept.issuperset(self._loaded):
                return False
            try:
                with torch.cuda.stream(self._aside):  # nothing on a CPU
                    self._loaded[key] = self._load(data, kept)
            except Exception:
                return True
        self._loaded.move_to_end(key)
        self._ahead.add(key)
        return True

    @torch.no_grad()
    def use(self, slots: Sequence[int], strengths: Sequence[float]) -> None:
        """Let group i of the next batches have the adapter of ``slots[i]``, ``strengths[i]`` times as strong."""
        count = len(slots)
        self._index[:count].copy_(torch.tensor(slots))
        self._strength[:count, 0].copy_(torch.tensor(strengths))
        rows = self.rows[:count]
        torch.index_select(self.pool, 0, self._index[:count], out=rows)
        rows[:, self._layout.ups :].mul_(self._strength[:count])

    def _key(self, data: bytes) -> Content:
        """The key of equal bytes that came before, or a new one; the same object is not compared again."""
        known = self._known.get(id(data))
        if known is None:
            new = content_of(data)
            key = next((one for _, one in self._known.values() if one == new), new)
            known = self._known[id(data)] = (data, key)
            if len(self._known) > self.room:
                self._known.popitem(last=False)
        return known[1]

    def _load(self, data: bytes, wanted: set[Content]) -> Loaded:
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
        row = self.pool[slot]
        row.zero_()
        try:
            self._write_row(row, data)
            if not bool(torch.isfinite(row).all()):
                raise JobError("bad-adapter", "it holds values that are no numbers")
        except (JobError, DoesNotFit):
            row.zero_()
            raise

    def _write_row(self, row: Tensor, data: bytes) -> None:
        """Copy the halves of every layer. A file of this project goes to the device as it is, in one piece."""
        about, entries = read_info(data), tuple(read_entries(data))
        if about is None or not alike(entries):
            self._write_layers(row, fitted(self._base, data))
            return
        if entries != self._gathered[0]:
            self._gathered = entries, gathering(self._layout, entries).to(row.device)
        end = end_of(entries)
        values = row.new_zeros(end + 1)  # the last one is what a smaller rank leaves empty
        dtype = entries[0].dtype
        values[:-1].copy_(self._upload(data)[: end * dtype.itemsize].view(dtype))
        torch.index_select(values, 0, self._gathered[1], out=row)
        if about.alpha != about.rank:
            row[self._layout.ups :].mul_(about.alpha / about.rank)

    def _write_layers(self, row: Tensor, layers: Layers) -> None:
        """Copy layers one by one: each has its own alpha."""
        places = {place.path: place for place in self._layout.places}
        for path, (down, up, alpha) in layers.items():
            if path not in places:
                raise DoesNotFit(f"no slots at {path}")
            rank = _rank(places[path], tuple(down.shape), tuple(up.shape))
            scaled = up.to(row.device) * (alpha / rank)
            places[path].down_of(row)[:rank].copy_(down)
            places[path].up_of(row)[:, :rank].copy_(scaled.flatten(1))

    def _upload(self, data: bytes) -> Tensor:
        """The file's bytes after its header, on the device, by way of memory that the device reads directly."""
        start = _header_end(data)
        size = len(data) - start
        pinned = self._base.device.type == "cuda"
        if len(self._staging) < size:
            self._staging = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
        if self._copied is not None:
            self._copied.synchronize()  # the copy before must have left the buffer
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="The given buffer is not writable"
            )  # nobody writes to it
            source = torch.frombuffer(data, dtype=torch.uint8, offset=start)
        raw = torch.empty(size, dtype=torch.uint8, device=self._base.device)
        pieces = (one.split(PIECE) for one in (source, self._staging[:size], raw))
        for read, staged, arrived in zip(*pieces, strict=True):
            staged.copy_(read)  # by several threads
            arrived.copy_(staged, non_blocking=True)
        if pinned:
            self._copied = torch.cuda.Event()
            self._copied.record()
        return raw


@dataclass(frozen=True)
class Entry:
    """One tensor of a safetensors file: its name, and where its bytes are after the header."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int

    def numbers(self) -> Tensor:
        """The number of each of its elements in the file, int32."""
        first = self.start // self.dtype.itemsize
        count = math.prod(self.shape)
        return torch.arange(first, first + count, dtype=torch.int32).view(self.shape)


def read_entries(data: bytes) -> list[Entry]:
    """The tensors of a file, without reading them. Raises JobError bad-adapter."""
    header = read_json(data)
    size = len(data) - _header_end(data)
    entries = []
    try:
        for name, value in header.items():
            if name == "__metadata__":
                continue
            start, end = value["data_offsets"]
            entry = Entry(name, DTYPES[value["dtype"]], tuple(value["shape"]), start, end)
            needed = entry.dtype.itemsize * math.prod(entry.shape)
            if not 0 <= start <= end <= size or end - start != needed:
                raise JobError("bad-adapter", "a damaged safetensors file")
            entries.append(entry)
    except (KeyError, TypeError, ValueError) as error:
        raise JobError("bad-adapter", "no safetensors file, or a damaged one") from error
    return entries


def paired(entries: Sequence[Entry]) -> dict[str, tuple[Entry, Entry]]:
    """path -> the lower and the upper half of each layer of a file of this project. Raises JobError bad-adapter."""
    by_name = {entry.name: entry for entry in entries}
    found = {}
    for name, down in by_name.items():
        path = name.removeprefix("unet.").removesuffix(".lora_A.weight")
        up = by_name.get(f"unet.{path}.lora_B.weight")
        if name == f"unet.{path}.lora_A.weight" and up is not None:
            found[path] = down, up
    if not found or 2 * len(found) != len(entries):
        raise JobError(
            "bad-adapter", "no layers, or halves of layers, or more than LoRA layers of the denoiser"
        )
    return found


@dataclass(frozen=True)
class Content:
    """A file as a key. Two are equal if all their bytes are; most others already differ in the few of ``some``."""

    some: bytes
    data: bytes = field(hash=False, repr=False)


def content_of(data: bytes) -> Content:
    """The key of a file, at once: to hash all of it takes longer than to bring it to the device."""
    return Content(data[:: len(data) // LOOKED_AT | 1], data)


def _header_end(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def alike(entries: Sequence[Entry]) -> bool:
    """Whether a file's tensors are one array: of one type, each beginning at a whole element."""
    dtypes = {entry.dtype for entry in entries}
    return len(dtypes) == 1 and not any(entry.start % entry.dtype.itemsize for entry in entries)


def end_of(entries: Sequence[Entry]) -> int:
    """How many values a file has up to the end of its last tensor."""
    return max(entry.end // entry.dtype.itemsize for entry in entries)


def gathering(layout: Layout, entries: Sequence[Entry]) -> Tensor:
    """Which value of a file of this project belongs at each place of a flat adapter, int32 [size].

    The value after the file's last one stands for zero. Raises JobError bad-adapter, and DoesNotFit.
    """
    places = {place.path: place for place in layout.places}
    found = torch.full((layout.size,), end_of(entries), dtype=torch.int32)
    for path, (down, up) in paired(entries).items():
        if path not in places:
            raise DoesNotFit(f"no slots at {path}")
        place = places[path]
        rank = _rank(place, down.shape, up.shape)
        place.down_of(found)[:rank] = down.numbers()
        place.up_of(found)[:, :rank] = up.numbers().flatten(1)
    return found


def _rank(place: Place, down: tuple[int, ...], up: tuple[int, ...]) -> int:
    """The rank of a layer's halves. Raises JobError bad-adapter, and DoesNotFit."""
    rank = down[0] if down else 0
    kernel = (1,) * (len(place.down) - 2)
    if down[1:] != place.down[1:] or up != (place.up[0], rank, *kernel) or rank < 1:
        raise JobError("bad-adapter", "its layers have other sizes than those of this base")
    if rank > place.down[0]:
        raise DoesNotFit(f"rank {rank}, the slots have {place.down[0]}")
    return rank
