"""A base comes to a node whole, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lora.engine import node_cache
from lora.engine.node_cache import BaseFiles, fetch
from lora.models import base_model


def test_workers_of_a_node_fetch_a_base_once(
    tiny_folder: Path, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four at the same time: each file is asked for once, and the base is the same one."""
    monkeypatch.setattr(node_cache, "CHUNK", 1 << 20)
    files = BaseFiles(str(tiny_folder), cache_dir)
    listed, asked = files.list(), []

    def chunk(name: str, offset: int) -> bytes:
        asked.append((name, offset))
        return files.chunk(name, offset)

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: fetch(listed, tmp_path, chunk), range(4)))
    assert len(asked) == len(set(asked)) > len(listed.files)
    (folder,) = found
    one, other = (base_model.load(str(path), cache_dir, "cpu") for path in (folder, tiny_folder))
    assert (one.name, one.hash) == (other.name, other.hash)


def test_a_damaged_file_is_not_kept(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Nor one that ends too soon; the next try fetches all of it again."""
    files = BaseFiles(str(tiny_folder), cache_dir)
    listed = files.list()
    for chunk in (lambda name, offset: b"", lambda name, offset: bytes(len(files.chunk(name, offset)))):
        with pytest.raises(OSError, match="came damaged"):
            fetch(listed, tmp_path, chunk)
    assert (fetch(listed, tmp_path, files.chunk) / "model_index.json").is_file()
