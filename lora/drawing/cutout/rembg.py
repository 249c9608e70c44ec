"""rembg as a remover, with a local ONNX file or one of its models by name.

rembg's own default may not be used commercially, and two of its names send pictures to a remote service. So a model is
always named, and ``lora.drawing.cutout_names`` says which may be.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.drawing.cutout.bundled import session_options
from lora.drawing.cutout.flat import Box
from lora.drawing.cutout_names import refusal

LARGE_SIDE_PX = 1024  # the input of ISNet; other files get U2-Net's preprocessing


class RembgRemover:
    """A rembg session. The model's file must be in place already: nothing is downloaded."""

    def __init__(self, cache_dir: Path, model: str) -> None:
        if (reason := refusal(model)) is not None:
            raise ValueError(f"the cut-out model {model!r} is not used here: {reason}")
        rembg, home = library(), home_of(cache_dir)
        if model.endswith(".onnx"):
            file = placed(Path(model), home)
            self._session = rembg.new_session(_kind(file), model_path=str(file), sess_opts=session_options())
            return
        if not (home / "models" / model / f"{model}.onnx").exists():
            raise ValueError(
                f"put the cut-out model's file at {home / 'models' / model / f'{model}.onnx'} first"
            )
        self._session = rembg.new_session(model, sess_opts=session_options())

    def alpha(self, image: Image.Image, part: Box | None = None) -> NDArray[np.floating[Any]]:
        """RGB picture -> float [H, W], 0 = background, 1 = drawing. The ``part`` that is needed changes nothing."""
        (mask,) = self._session.predict(image)
        return np.asarray(mask, dtype=np.float64) / 255


def home_of(cache_dir: Path) -> Path:
    """The folder that rembg loads models from, which it is told by the environment."""
    home = cache_dir.resolve() / "rembg"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["U2NET_HOME"] = str(home)
    return home


def library() -> Any:
    """rembg, imported in a second.

    It imports PyMatting, all of whose functions numba would compile: for a minute, and in a container with read-only
    files at each start. It would also give torch as many threads as there are cores. None of them is called here, so
    they stay Python.
    """
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import rembg

    return rembg


def _kind(file: Path) -> str:
    """rembg's name for a network of one's own, by the side of the pictures that it takes."""
    import onnxruntime

    shape = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).get_inputs()[0].shape
    return "dis_custom" if shape[-1] == LARGE_SIDE_PX else "u2net_custom"


def placed(source: Path, home: Path) -> Path:
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
