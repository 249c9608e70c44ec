"""From a drawing on a flat background to a finished sticker file: cut out, fitted, encoded."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image

from lora.drawing.cutout import Remover, cut_out, remover
from lora.drawing.fit import encode, fit


class StickerMaker:
    """Makes stickers with one cut-out network, which a thread loads: its libraries take seconds to import."""

    def __init__(self, cache_dir: Path, outline_px: int) -> None:
        self._cache_dir = cache_dir
        self._outline_px = outline_px
        self._network: Remover | None = None
        self._problem: Exception | None = None
        self._loader = threading.Thread(target=self._load, daemon=True)
        self._loader.start()

    def __call__(self, image: Image.Image, background: tuple[int, int, int]) -> bytes:
        """A WebP of one side 512 px and at most 512 KiB. Raises JobError empty-cutout."""
        self._loader.join()
        if self._network is None:
            raise RuntimeError("the cut-out network cannot be loaded") from self._problem
        return encode(fit(cut_out(image, self._network, background), outline_px=self._outline_px))

    def _load(self) -> None:
        try:
            self._network = remover(self._cache_dir)
        except Exception as error:  # told to whoever wants a sticker; a training needs none
            self._problem = error
