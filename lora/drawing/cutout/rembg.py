"""rembg as a remover, with the bundled network or another model by its name.

rembg's own default may not be used commercially, and two of its names send pictures to a remote service: REFUSED.
"""

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
    """A rembg session. The file of any model but the bundled one must be in place already: nothing is downloaded."""

    def __init__(self, cache_dir: Path, model: str = "bundled") -> None:
        if model in REFUSED:
            raise ValueError(f"the cut-out model {model!r} is not used here: {REFUSED[model]}")
        home = cache_dir.resolve() / "rembg"
        home.mkdir(parents=True, exist_ok=True)
        os.environ["U2NET_HOME"] = str(home)
        self._needs_smooth_pictures = False
        import rembg

        if model == "bundled":
            self._session = rembg.new_session("u2net_custom", model_path=str(_placed(home)))
            self._needs_smooth_pictures = True
            return
        if not (home / "models" / model / f"{model}.onnx").exists():
            raise ValueError(
                f"put the cut-out model's file at {home / 'models' / model / f'{model}.onnx'} first"
            )
        self._session = rembg.new_session(model)

    def alpha(self, image: Image.Image) -> NDArray[np.floating[Any]]:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing.

        The bundled network learned from clean drawings on backgrounds with grain, so it takes grain for background. A
        median over 3 px removes the grain. Without it, noise of 2/255 lowers IoU by a tenth (``benchmarks.cutout``).
        """
        if self._needs_smooth_pictures:
            image = image.filter(ImageFilter.MedianFilter(3))
        (mask,) = self._session.predict(image)
        return np.asarray(mask, dtype=np.float64) / 255


def _placed(home: Path) -> Path:
    """The path of a copy of the bundled file in rembg's home: rembg loads own models only from there."""
    target = home / f"cutout-{BUNDLED.stat().st_size}-{int(BUNDLED.stat().st_mtime)}.onnx"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(BUNDLED, part)
        part.replace(target)
    return target
