"""From a drawing on a flat background to a finished sticker file: cut out, fitted, encoded."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image, ImageColor

from lora.drawing.cutout import Remover, cut_out, remover
from lora.drawing.cutout_names import BUNDLED
from lora.drawing.fit import encode, fit
from lora.jobs import NO_OUTLINE, DrawOptions, JobError
from lora.safety import Guard


class StickerMaker:
    """Makes stickers with one cut-out network. A thread loads it, because its libraries take seconds to import.

    ``model`` is a name of ``lora.drawing.cutout``. The guard looks at a drawing before it is cut out.
    """

    def __init__(self, cache_dir: Path, model: str = BUNDLED, guard: Guard | None = None) -> None:
        self._cache_dir = cache_dir
        self._model = model
        self._guard = guard or Guard()
        self._network: Remover | None = None
        self._problem: Exception | None = None
        self._loader = threading.Thread(target=self._load, daemon=True)
        self._loader.start()

    def __call__(
        self, image: Image.Image, background_colour: tuple[int, int, int] | None, options: DrawOptions
    ) -> bytes:
        """An RGB drawing as a WebP: longer side 512 px, at most 512 KiB.

        Raises JobError: unsafe-drawing, empty-cutout.
        """
        if self._guard.refuses(image):
            raise JobError("unsafe-drawing")
        if options.cutout == "none":
            cutout = image.convert("RGBA")
        else:
            by_colour = options.cutout == "auto"
            cutout = cut_out(image, self._loaded(), background_colour, by_colour=by_colour)
        if options.outline == NO_OUTLINE:
            return encode(fit(cutout, 0))
        return encode(fit(cutout, options.outline_px, ImageColor.getrgb(options.outline)[:3]))

    def cut_out(self, image: Image.Image) -> Image.Image:
        """Any RGB picture as RGBA without its background. Raises JobError empty-cutout."""
        return cut_out(image, self._loaded())

    def _loaded(self) -> Remover:
        self._loader.join()
        if self._network is None:
            raise RuntimeError("the cut-out network cannot be loaded") from self._problem
        return self._network

    def _load(self) -> None:
        try:
            self._network = remover(self._cache_dir, self._model)
        except Exception as error:  # raised again by __call__; trainings work without the network
            self._problem = error
