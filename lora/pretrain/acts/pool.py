"""Many processes that make pictures of scenes and looks from the file of drawings."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors import safe_open

from lora.pretrain.acts.act import Act, Source
from lora.pretrain.acts.compose import compose
from lora.pretrain.acts.sprite import Array
from lora.pretrain.looks import Look

IMPORTED = ["lora.pretrain.learner", "lora.pretrain.vae"]  # by the main module of a training
CHUNK = 32  # pictures of one task
FREE_CORES = 4  # that each training keeps for itself and the compiler: not every kernel heeds priorities


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A picture to make: the drawing of a row or a scene, in a look or as it is."""

    row: int
    act: Act | None = None
    look: Look | None = None


class Rows:
    """Reads drawings, uint8 [256, 256, 4]. Row i is row ``used[i]`` of the files' ``pictures``, one after another."""

    def __init__(self, files: Sequence[Path], used: Sequence[int]) -> None:
        self._pictures: list[Any] = [safe_open(file, "numpy").get_slice("pictures") for file in files]
        self._used = used

    def __call__(self, row: int) -> Array:
        at = self._used[row]
        for pictures in self._pictures:
            count = pictures.get_shape()[0]
            if at < count:
                return np.ascontiguousarray(pictures[at : at + 1][0].transpose(1, 2, 0))
            at -= count
        raise IndexError(row)


def make(wanted: Wanted, source: Source) -> Array:
    """The picture, uint8 [4, 256, 256], straight alpha."""
    picture = compose(wanted.act, source) if wanted.act else source.sprite(wanted.row).rgba
    if wanted.look:
        picture = wanted.look(picture)
    return picture.transpose(2, 0, 1)


_source: Source | None = None  # of a process of the pool


def _start(files: Sequence[Path], used: Sequence[int], concepts: Sequence[str]) -> None:
    global _source
    os.nice(10)
    _source = Source(Rows(files, used), concepts)


def _make_all(wanted: Sequence[Wanted], path: Path) -> Path:
    """Write the pictures to a file. Through a pipe, this process would be busy with receiving them."""
    assert _source is not None
    np.save(path, np.stack([make(one, _source) for one in wanted]))
    return path


def prepare() -> None:
    """Start the process that those of a pool are forked from: it has not used CUDA, as this one may have.

    It imports what each of them would import again with the main module; torch alone takes 5 s of a core.
    """
    multiprocessing.set_forkserver_preload(IMPORTED)
    forkserver.ensure_running()


class Pool:
    """Begins to make the ``wanted`` pictures when it is constructed; ``take`` gives them in order.

    Pictures that wait lie in a temporary folder. The processes have a lower priority than this one. ``share`` is the
    number of trainings that share this machine's cores; each has one process for each of its cores but FREE_CORES.
    """

    def __init__(
        self,
        files: Sequence[Path],
        used: Sequence[int],
        concepts: Sequence[str],
        wanted: Sequence[Wanted],
        *,
        share: int = 1,
    ) -> None:
        prepare()
        self._folder = TemporaryDirectory()
        self._executor = ProcessPoolExecutor(
            max(1, (os.cpu_count() or 1) // share - FREE_CORES),
            mp_context=multiprocessing.get_context("forkserver"),
            initializer=_start,
            initargs=(list(files), list(used), list(concepts)),
        )
        parts = [wanted[i : i + CHUNK] for i in range(0, len(wanted), CHUNK)]
        self._tasks: deque[Future[Path]] = deque(
            self._executor.submit(_make_all, part, Path(self._folder.name, f"{number}.npy"))
            for number, part in enumerate(parts)
        )

    def take(self, most: int) -> Array | None:
        """The next pictures that are ready, uint8 [n, 4, 256, 256], n < most + CHUNK; None if there are none.

        It does not wait. A picture that could not be made raises the error of the process that tried.
        """
        made: list[Array] = []
        while self._tasks and self._tasks[0].done() and len(made) * CHUNK < most:
            path = self._tasks.popleft().result()
            made.append(np.load(path, allow_pickle=False))
            path.unlink()
        if made and not self._tasks:
            self._executor.shutdown()
            self._folder.cleanup()
        return np.concatenate(made) if made else None
