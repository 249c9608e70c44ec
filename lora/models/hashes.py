"""sha256 of whole files, and of a denoiser's tensors without the files' metadata."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lora.files import write_whole

_DIGEST = re.compile("[0-9a-f]{64}")


def weights_hash(folder: Path, cache_dir: Path) -> str:
    """sha256 of the denoiser's weights: names, shapes, dtypes and bytes, but no file metadata."""
    return _remembered(sorted((folder / "unet").glob("*.safetensors")), cache_dir, "weights", _hash_tensors)


def file_hash(file: Path, cache_dir: Path) -> str:
    """sha256 of all bytes of a file."""
    return _remembered([file], cache_dir, "file", _hash_file)


def _remembered(files: Sequence[Path], cache_dir: Path, kind: str, work: Callable[[Path, Any], None]) -> str:
    """A hash, cached in ``cache_dir`` by the files' paths, sizes and times: to hash 3.5 GB takes seconds."""
    stamp = repr([kind, *((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)])
    known = cache_dir / "base-hashes" / hashlib.sha256(stamp.encode()).hexdigest()
    if known.is_file() and _DIGEST.fullmatch(found := known.read_text(errors="replace")):
        return found
    digest = hashlib.sha256()
    for file in files:
        work(file, digest)
    write_whole(known, digest.hexdigest().encode())
    return digest.hexdigest()


def _hash_file(file: Path, digest: Any) -> None:
    with file.open("rb") as stream:
        _hash_rest(stream, digest)


def _hash_tensors(file: Path, digest: Any) -> None:
    with file.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        header.pop("__metadata__", None)
        digest.update(json.dumps(header, sort_keys=True).encode())
        _hash_rest(stream, digest)


def _hash_rest(stream: Any, digest: Any) -> None:
    while block := stream.read(1 << 20):
        digest.update(block)
