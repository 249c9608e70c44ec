"""rembg as a remover, with the bundled network, a local ONNX file, or another model by its name.

rembg's own default may not be used commercially, and two of its names send pictures to a remote service. So a model is
always named, and ``lora.drawing.cutout_names`` says which may be.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.drawing.cutout_names import BUNDLED, refusal

BUNDLED_FILE = Path(__file__).parents[2] / "bundled" / "cutout.onnx"
LARGE_SIDE_PX = 1024  # the input of ISNet; other files get U2-Net's preprocessing


class RembgRemover:
    """A rembg session. The file of any model but the bundled one must be in place already: nothing is downloaded."""

    def __init__(self, cache_dir: Path, model: str = BUNDLED) -> None:
        if (reason := refusal(model)) is not None:
            raise ValueError(f"the cut-out model {model!r} is not used here: {reason}")
        home = cache_dir.resolve() / "rembg"
        home.mkdir(parents=True, exist_ok=True)
        os.environ["U2NET_HOME"] = str(home)
        self._needs_smooth_pictures = False
        rembg = library()
        if model == BUNDLED:
            self._session = rembg.new_session(
                "u2net_custom", model_path=str(_placed(BUNDLED_FILE, home)), sess_opts=_options()
            )
            self._needs_smooth_pictures = True
            return
        if model.endswith(".onnx"):
            file = _placed(Path(model), home)
            self._session = rembg.new_session(_kind(file), model_path=str(file), sess_opts=_options())
            return
        if not (home / "models" / model / f"{model}.onnx").exists():
            raise ValueError(
                f"put the cut-out model's file at {home / 'models' / model / f'{model}.onnx'} first"
            )
        self._session = rembg.new_session(model, sess_opts=_options())

    def alpha(self, image: Image.Image) -> NDArray[np.floating[Any]]:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing.

        The bundled network learned from clean drawings on backgrounds with grain, so it takes grain for background. A
        median over 3 px removes the grain. Without it, noise of 2/255 lowers IoU by a tenth (``benchmarks.cutout``).
        """
        if self._needs_smooth_pictures:
            image = Image.fromarray(cv2.medianBlur(np.asarray(image), 3))
        (mask,) = self._session.predict(image)
        return np.asarray(mask, dtype=np.float64) / 255


def library() -> Any:
    """rembg, imported in a second.

    It imports PyMatting, all of whose functions numba would compile: for a minute, and in a container with read-only
    files at each start. It would also give torch as many threads as there are cores. None of them is called here, so
    they stay Python.
    """
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import rembg

    return rembg


def _options() -> Any:
    """ONNX Runtime's threads wait without work instead of turning in circles: the cores are others' meanwhile."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _kind(file: Path) -> str:
    """rembg's name for a network of one's own, by the side of the pictures that it takes."""
    import onnxruntime

    shape = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).get_inputs()[0].shape
    return "dis_custom" if shape[-1] == LARGE_SIDE_PX else "u2net_custom"


def _placed(source: Path, home: Path) -> Path:
    """The path of a copy of a file in rembg's home: rembg loads own models only from there. Raises ValueError."""
    if not source.is_file():
        raise ValueError(f"there is no cut-out model at {source}")
    about = source.stat()
    target = home / f"cutout-{about.st_size}-{int(about.st_mtime)}.onnx"
    if not target.exists():
        part = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(source, part)
        part.replace(target)
    return target
