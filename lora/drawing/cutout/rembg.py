"""rembg as the remover, by a model's name: its own default is non-commercial, and two names send pictures away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

BUNDLED = Path(__file__).parents[2] / "bundled" / "cutout.onnx"
REFUSED = {
    "bria-rmbg": "its weights may not be used commercially",
    "withoutbg": "it sends every picture to a remote service",
    "atlascloud": "it sends every picture to a remote service",
}


class RembgRemover:
    """A rembg session. Any model but the bundled one must lie in rembg's folder already: nothing is downloaded."""

    def __init__(self, cache_dir: Path, model: str = "bundled") -> None:
        if model in REFUSED:
            raise ValueError(f"the cut-out model {model!r} is not used here: {REFUSED[model]}")
        home = cache_dir.resolve() / "rembg"
        home.mkdir(parents=True, exist_ok=True)
        os.environ["U2NET_HOME"] = str(home)
        self._takes_grain_for_background = False
        import rembg

        if model == "bundled":
            self._session = rembg.new_session("u2net_custom", model_path=str(_placed(home)))
            self._takes_grain_for_background = True
            return
        if not (home / "models" / model / f"{model}.onnx").exists():
            raise ValueError(
                f"put the cut-out model's file at {home / 'models' / model / f'{model}.onnx'} first"
            )
        self._session = rembg.new_session(model)

    def alpha(self, image: Image.Image) -> NDArray[np.floating[Any]]:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing.

        The bundled network learned from clean drawings on backgrounds with grain. A median over 3 px takes the grain
        out of both: without it, noise of 2/255 on a drawing costs a tenth of the IoU (``benchmarks.cutout``).
        """
        if self._takes_grain_for_background:
            image = image.filter(ImageFilter.MedianFilter(3))
        (mask,) = self._session.predict(image)
        return np.asarray(mask, dtype=np.float64) / 255


def _placed(home: Path) -> Path:
    """rembg takes a model of one's own only from inside its home: a copy of the bundled file, of this edition."""
    target = home / f"cutout-{BUNDLED.stat().st_size}-{int(BUNDLED.stat().st_mtime)}.onnx"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(BUNDLED, part)
        part.replace(target)
    return target
